/**
 * Judges the order of the steps by which a driver brings a device up.
 *
 *   reset -> (reads 0) -> ACKNOWLEDGE -> DRIVER -> features -> FEATURES_OK -> read back
 *         -> queues -> DRIVER_OK
 *
 * A legacy interface has no FEATURES_OK and nothing to read back (virtio 1.3, 3.1.2).
 */

import type { Context } from "../judge/context.ts";
import { ANSWER_MS } from "../judge/outcome.ts";
import { hasBit } from "../spec/bits.ts";
import { FEATURE, STATUS } from "../spec/numbers.ts";
import type { RuleId } from "../spec/rules.ts";

const STEPS = [STATUS.acknowledge, STATUS.driver, STATUS.featuresOk, STATUS.driverOk] as const;

const STEP_NAME: Readonly<Record<number, string>> = {
  [STATUS.acknowledge]: "ACKNOWLEDGE",
  [STATUS.driver]: "DRIVER",
  [STATUS.featuresOk]: "FEATURES_OK",
  [STATUS.driverOk]: "DRIVER_OK",
};

/** Features that a driver has to accept, or should, when they are offered, and their rules. */
const OWED = [
  { bit: FEATURE.version1, name: "VERSION_1", rule: "G-VERSION-1" },
  { bit: FEATURE.accessPlatform, name: "ACCESS_PLATFORM", rule: "G-ACCESS-PLATFORM" },
  { bit: FEATURE.ringPacked, name: "RING_PACKED", rule: "G-RING-PACKED" },
  { bit: FEATURE.orderPlatform, name: "ORDER_PLATFORM", rule: "G-ORDER-PLATFORM" },
  { bit: FEATURE.notifConfigData, name: "NOTIF_CONFIG_DATA", rule: "G-NOTIF-CONFIG-DATA" },
  { bit: FEATURE.mustTellHost, name: "MUST_TELL_HOST", rule: "D1" },
] as const satisfies readonly { bit: number; name: string; rule: RuleId }[];
/** As above, on a legacy interface only. */
const ANY_LAYOUT = { bit: FEATURE.anyLayout, name: "ANY_LAYOUT", rule: "L-ANY-LAYOUT" } as const;

export class BringUpCheck {
  /** Whether the driver uses the interface from before virtio 1.0. */
  legacy = false;
  private readonly context: Context;
  private wasReset = false;
  private readZero = true;
  private wordsRead = new Set<number>();
  /** The offer as the driver read it, perhaps from the host that it was migrated from. */
  private shown = 0n;
  private readBack = true;
  private refused = false;
  private sawNeedsReset = false;

  constructor(context: Context) {
    this.context = context;
  }

  reset(): void {
    this.wasReset = true;
    this.readZero = false;
    this.wordsRead = new Set();
    this.shown = 0n;
    this.readBack = true;
    this.refused = false;
    this.sawNeedsReset = false;
  }

  /** The device is new: no driver has reset it. */
  forget(): void {
    this.wasReset = false;
    this.readZero = true;
  }

  /**
   * The driver read device_status. `halted`: the value holds DEVICE_NEEDS_RESET because the device
   * asks for a reset now, not because a reset is not finished.
   */
  statusRead(value: number, halted: boolean): void {
    if (value === 0) this.readZero = true;
    this.readBack = true;
    if (halted) this.sawNeedsReset = true;
  }

  /** The driver writes a `value` other than 0; `old` is what it has set so far. */
  statusWrite(old: number, value: number): void {
    const { judge } = this.context;
    const added = value & ~old;
    if (!this.wasReset) {
      judge.breach("G-RESET-FIRST", `status ${value} is written before any reset`);
      this.wasReset = true;
    } else if (!this.readZero) {
      judge.breach("G-RESET-WAIT", `status ${value} is written and no read gave 0 yet`);
    }
    this.readZero = true;
    if ((old & STATUS.failed) !== 0 && added !== 0) {
      judge.breach("G-AFTER-FAILED", `status ${value} is written while FAILED is set`);
    }
    const cleared = old & ~value & ~STATUS.needsReset;
    if (cleared !== 0) {
      judge.breach("G-STATUS-CLEARED", `status goes from ${old} to ${value}`);
    } else {
      this.judgeSteps(old, value, added);
    }
  }

  /** The driver is at rest. `forMs`: for how long an up device has asked for a reset. */
  judgeHalted(forMs: number): void {
    if (forMs < ANSWER_MS) return;
    const seen = `DEVICE_NEEDS_RESET is set since ${forMs.toFixed(0)} ms, and no reset came`;
    this.context.judge.breach("Q-NEEDS-RESET", seen);
  }

  /** The driver wrote FEATURES_OK, and the device kept the bit or refused it. */
  featuresOk(kept: boolean): void {
    this.readBack = false;
    this.refused = !kept;
  }

  offerRead(word: number, value: number): void {
    this.wordsRead.add(word);
    // A driver may select any word; beyond these there are no features (virtio 1.3, 4.1.4.3.1).
    if (word > 1) return;
    const shift = BigInt(word * 32);
    this.shown = (this.shown & ~(0xffff_ffffn << shift)) | (BigInt(value) << shift);
  }

  featuresWrite(word: number, settled: boolean, value: number): void {
    const { judge } = this.context;
    if (settled) {
      judge.breach("G-FEATURES-LATE", `word ${word} is written after features were settled`);
    } else if (!this.wordsRead.has(word) && value !== 0) {
      judge.breach("G-FEATURE-READ", `word ${word} is accepted without reading the offer`);
    }
  }

  /** Features are settled. Judges by the offer as the driver read it, or by the one of `now`. */
  accepted(now: bigint, accepted: bigint, described: bigint): void {
    const { judge } = this.context;
    const offered = this.wordsRead.size > 0 ? this.shown : now;
    const extra = accepted & ~offered;
    if (extra !== 0n) judge.breach("G-UNOFFERED", `bits 0x${extra.toString(16)} were not offered`);
    const strange = accepted & offered & ~described;
    if (strange !== 0n) {
      judge.breach("G-RESERVED-BIT", `bits 0x${strange.toString(16)} mean nothing for a balloon`);
    }
    for (const { bit, name, rule } of this.legacy ? [...OWED, ANY_LAYOUT] : OWED) {
      if (missing(bit, offered & described, accepted))
        judge.breach(rule, `${name} is offered, not accepted`);
    }
  }

  queueEnabled(status: number): void {
    if (this.legacy) {
      if ((status & STATUS.driver) !== 0) return;
      this.context.judge.breach("G-QUEUE-EARLY", "a queue is enabled before DRIVER is set");
      return;
    }
    if (this.refused) {
      this.judgeRefused("enables a queue");
      return;
    }
    if ((status & STATUS.featuresOk) === 0) {
      this.context.judge.breach("G-QUEUE-EARLY", "a queue is enabled before FEATURES_OK");
      return;
    }
    this.judgeReadBack("a queue is enabled");
  }

  /** A legacy device has to accept this at any time (virtio 1.3, 3.1.2). */
  configWritten(status: number): void {
    if (this.legacy || (status & STATUS.featuresOk) !== 0) return;
    this.context.judge.breach("G-CONFIG-EARLY", "device configuration written before FEATURES_OK");
  }

  /** Judges a notification by the status. Returns whether the device serves it. */
  notified(status: number, queue: string): boolean {
    const { judge } = this.context;
    if ((status & STATUS.failed) !== 0) {
      judge.breach("G-AFTER-FAILED", `${queue} is notified while FAILED is set`);
      return false;
    }
    if ((status & STATUS.driverOk) === 0) {
      judge.breach("G-NOTIFY-EARLY", `${queue} is notified before DRIVER_OK`);
      // A legacy device has to serve it all the same (virtio 1.3, 3.1.2).
      return this.legacy;
    }
    if ((status & STATUS.needsReset) !== 0) {
      if (this.sawNeedsReset) judge.breach("G-NEEDS-RESET", `${queue} is notified all the same`);
      return false;
    }
    return true;
  }

  save() {
    const { legacy, wasReset, readZero, wordsRead, shown, readBack, refused } = this;
    const { sawNeedsReset } = this;
    const read = { wordsRead: [...wordsRead], shown: shown.toString() };
    return { legacy, wasReset, readZero, ...read, readBack, refused, sawNeedsReset };
  }

  load({ wordsRead, shown, ...plain }: ReturnType<BringUpCheck["save"]>): void {
    Object.assign(this, plain);
    this.wordsRead = new Set(wordsRead);
    this.shown = BigInt(shown);
  }

  private judgeSteps(old: number, value: number, added: number): void {
    const { judge } = this.context;
    if (this.refused && (added & (STATUS.driverOk | STATUS.featuresOk)) !== 0) {
      this.judgeRefused(`writes status ${value}`);
      return;
    }
    let present = true;
    let steps = 0;
    for (const step of STEPS) {
      if (this.legacy && step === STATUS.featuresOk) continue;
      if ((added & step) !== 0) {
        steps += 1;
        if (!present) judge.breach("G-ORDER", `${STEP_NAME[step]} is set too early (${old})`);
      }
      present = present && (value & step) !== 0;
    }
    if (steps > 1) judge.breach("G-ONE-STEP", `status goes from ${old} to ${value} at once`);
    if ((added & STATUS.driverOk) !== 0) this.judgeReadBack("DRIVER_OK is set");
  }

  private judgeReadBack(what: string): void {
    if (this.readBack || this.legacy) return;
    this.readBack = true;
    this.context.judge.breach("G-FEATURES-REREAD", `${what} and FEATURES_OK was not read back`);
  }

  private judgeRefused(what: string): void {
    this.context.judge.breach("G-FEATURES-REFUSED", `the driver ${what} after the refusal`);
  }
}

function missing(bit: number, offered: bigint, accepted: bigint): boolean {
  return hasBit(offered, bit) && !hasBit(accepted, bit);
}
