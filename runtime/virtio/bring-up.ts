/**
 * Bring-up: from an unknown device to DRIVER_OK, one named step at a time (virtio 1.3, 3.1.1).
 *
 *   reset -> await-reset -+-> acknowledge -> driver -> read-features -> decide -> write-features
 *     ^          ^        |                                               |            |
 *     |          +-(wait)-+                                               |            v
 *     +---- refused, and attempts are left ---- check-features-ok <- set-features-ok --+
 *     |                                             |                                  |
 *     |                                             v                                  |
 *     +---- no longer offered ---------------- check-offer <--------------- (legacy) --+
 *                                                   v
 *      before-driver-ok <- set-up-queues <- interrupts <- queues
 *              |
 *              +-> driver-ok -> after-driver-ok -> running
 *
 *   Every step can end in `failed`, with the error in the state and FAILED in the device's status.
 *
 * `advance` does one step and returns; nothing here loops or waits, so a caller may stop between
 * any two steps for as long as it likes. The callbacks decide features and queues, so this file
 * serves every device type.
 *
 * A legacy device knows no FEATURES_OK and refuses nothing, so for it those two steps are not there
 * (virtio 1.3, 3.1.2). It silently drops what it does not have, and some modern devices do so, too:
 * a guest that was migrated between reading the features and writing them would believe in a bit
 * that its new host lacks. Not every host lets the written features be read back as it has taken
 * them, but all show what they offer: that is read again. A guest that is migrated later is its
 * host's to refuse: by then it knows what was accepted.
 *
 * A device does not say *which* features it refused. The caller's `decide` is therefore a ladder:
 * it is asked again with the number of refusals so far, and steps down. When the device offers
 * something else by then, it is another host's, and the ladder begins anew.
 */
import { BallonetError, configError, hex } from "../errors.ts";
import { FEATURE, STATUS, STATUS_GONE } from "./constants.ts";
import {
  type FeatureSet,
  type FeatureTable,
  featureNames,
  featureWord,
  fromFeatureWords,
  hasFeature,
  isSubset,
} from "./features.ts";
import { giveUp, type QueueSetup, queueError, type Transport } from "./transport.ts";

/** What the device and the driver agreed on. */
export interface Negotiation {
  readonly offered: FeatureSet;
  readonly negotiated: FeatureSet;
  /** How many sets the device had refused before this one. */
  readonly refusals: number;
}

/** Where bring-up is. Each state carries only what its step needs. */
export type BringUpState =
  | { readonly name: "reset"; readonly refusals: number }
  | { readonly name: "await-reset"; readonly refusals: number; readonly polls: number }
  | { readonly name: "acknowledge"; readonly refusals: number }
  | { readonly name: "driver"; readonly refusals: number }
  | { readonly name: "read-features"; readonly refusals: number }
  | { readonly name: "decide"; readonly refusals: number; readonly offered: FeatureSet }
  | { readonly name: "write-features"; readonly wanted: Negotiation }
  | { readonly name: "set-features-ok"; readonly wanted: Negotiation }
  | { readonly name: "check-features-ok"; readonly wanted: Negotiation }
  | { readonly name: "check-offer"; readonly wanted: Negotiation }
  | { readonly name: "queues"; readonly negotiation: Negotiation }
  | {
      readonly name: "interrupts" | "set-up-queues";
      readonly negotiation: Negotiation;
      readonly queues: readonly QueueSetup[];
    }
  | { readonly name: "before-driver-ok"; readonly negotiation: Negotiation }
  | { readonly name: "driver-ok"; readonly negotiation: Negotiation }
  | { readonly name: "after-driver-ok"; readonly negotiation: Negotiation }
  | { readonly name: "running"; readonly negotiation: Negotiation }
  | { readonly name: "failed"; readonly during: BringUpStep; readonly error: BallonetError };

/** The name of a state, which is the name of the step that leaves it. */
export type BringUpStep = BringUpState["name"];

/** The device to bring up, and the decisions of its device type. */
export interface BringUpOptions {
  readonly transport: Transport;
  /** The device type's own feature bits, by which errors name them. Default: by number alone. */
  readonly deviceFeatures?: FeatureTable;
  /**
   * The features to accept, out of those offered; those that the transport requires are added.
   * `refusals` counts the sets that this device refused while it offered the same: ask for less
   * each time. `undefined` gives up.
   */
  decide(offered: FeatureSet, refusals: number): FeatureSet | undefined;
  /** The device is reset: it has no claim left on anything that it was given. */
  afterReset?(): void;
  /** Called between reading the features and accepting them. True: ask again later. */
  pauses?(): boolean;
  /**
   * A set was refused, or some of it (`lost`) is no longer offered. The device is reset next, and
   * its features are read again.
   */
  onRefused?(refused: Negotiation, lost: FeatureSet): void;
  /** Returns the queues to set up, laid out in memory and ready for the device. */
  queues(negotiation: Negotiation): readonly QueueSetup[];
  /** Posts buffers and writes fields that the device needs at its start. Must not notify it. */
  beforeDriverOk?(negotiation: Negotiation): void;
  /** The device runs: it may be notified. */
  afterDriverOk?(negotiation: Negotiation): void;
  /** Called with each step's name before it is done. */
  onStep?(step: BringUpStep): void;
}

/**
 * Looks at the status for the end of a reset. Devices reset within microseconds; one that is not
 * done after this many looks of a waiting caller is stuck.
 */
export const RESET_POLLS_MAX = 1000;

/** Feature sets that are tried; each refusal asks for fewer features. */
export const NEGOTIATIONS_MAX = 4;

/** The machine above. Create one for each attempt to bring a device up. */
export class BringUp {
  private readonly options: BringUpOptions;
  private readonly transport: Transport;
  private current: BringUpState = { name: "reset", refusals: 0 };
  /** The set that was refused last, and how many were refused of the same offer. */
  private refused: Negotiation | undefined;
  private refusedAlike = 0;

  constructor(options: BringUpOptions) {
    this.options = options;
    this.transport = options.transport;
  }

  /** The state whose step comes next, or `running` or `failed`, which have none. */
  get state(): BringUpState {
    return this.current;
  }

  /**
   * Does the next step. Returns the name of the new state, or "wait" when the device needs time:
   * call again later. `running` and `failed` are final.
   * @throws what a callback throws, unless that is a BallonetError, which leads to `failed`.
   */
  advance(): BringUpStep | "wait" {
    const before = this.current;
    if (before.name === "running" || before.name === "failed") return before.name;
    if (before.name === "decide" && this.options.pauses?.()) return "wait";
    this.options.onStep?.(before.name);
    try {
      this.current = this.step(before);
    } catch (error) {
      if (!(error instanceof BallonetError)) throw error;
      this.current = this.fail(before.name, error);
    }
    const waits = before.name === "await-reset" && this.current.name === "await-reset";
    return waits ? "wait" : this.current.name;
  }

  private step(state: BringUpState): BringUpState {
    const { transport, options } = this;
    switch (state.name) {
      case "reset":
        transport.reset();
        return { name: "await-reset", refusals: state.refusals, polls: 0 };
      case "await-reset":
        return this.awaitReset(state.refusals, state.polls);
      case "acknowledge":
        transport.addStatus(STATUS.ACKNOWLEDGE);
        return { name: "driver", refusals: state.refusals };
      case "driver":
        transport.addStatus(STATUS.DRIVER);
        return { name: "read-features", refusals: state.refusals };
      case "read-features":
        return { name: "decide", refusals: state.refusals, offered: this.readFeatures() };
      case "decide":
        return { name: "write-features", wanted: this.decide(state.offered, state.refusals) };
      case "write-features":
        this.writeFeatures(state.wanted.negotiated);
        return { ...state, name: transport.isLegacy ? "check-offer" : "set-features-ok" };
      case "set-features-ok":
        transport.addStatus(STATUS.FEATURES_OK);
        return { name: "check-features-ok", wanted: state.wanted };
      case "check-features-ok":
        return this.checkFeaturesOk(state.wanted);
      case "check-offer":
        return this.checkOffer(state.wanted);
      case "queues":
        return { ...state, name: "interrupts", queues: options.queues(state.negotiation) };
      case "interrupts":
        transport.setUpInterrupts(
          state.queues.filter(({ isQuiet }) => !isQuiet).map(({ index }) => index),
        );
        return { ...state, name: "set-up-queues" };
      case "set-up-queues":
        for (const queue of state.queues) this.setUpQueue(queue, state.negotiation.negotiated);
        return { name: "before-driver-ok", negotiation: state.negotiation };
      case "before-driver-ok":
        options.beforeDriverOk?.(state.negotiation);
        return { name: "driver-ok", negotiation: state.negotiation };
      case "driver-ok":
        transport.addStatus(STATUS.DRIVER_OK);
        this.checkAlive("device status after DRIVER_OK");
        return { name: "after-driver-ok", negotiation: state.negotiation };
      case "after-driver-ok":
        options.afterDriverOk?.(state.negotiation);
        return { name: "running", negotiation: state.negotiation };
      case "running":
      case "failed":
        return state;
    }
  }

  /** A reset is complete when the status reads 0, and not before (virtio 1.3, 4.1.4.3.2). */
  private awaitReset(refusals: number, polls: number): BringUpState {
    const seen = this.transport.status();
    if (seen === 0) {
      this.options.afterReset?.();
      return { name: "acknowledge", refusals };
    }
    if (polls + 1 < RESET_POLLS_MAX) return { name: "await-reset", refusals, polls: polls + 1 };
    throw new BallonetError({
      code: seen === STATUS_GONE ? "device-gone" : "reset-timeout",
      what: `device status of ${this.transport.name} after a reset`,
      seen: `${hex(seen)} after ${RESET_POLLS_MAX} polls`,
      todo: "check that the device is still there and that its host is not stuck",
    });
  }

  private readFeatures(): FeatureSet {
    const words: number[] = [];
    for (let word = 0; word < this.transport.featureWords; word++) {
      words.push(this.transport.deviceFeatures(word));
    }
    return fromFeatureWords(words);
  }

  private decide(offered: FeatureSet, refusals: number): Negotiation {
    const { requiredFeatures: required, unusableFeatures } = this.transport;
    if (!isSubset(required, offered)) {
      throw this.featureError(
        `${this.formatFeatures(offered)} offered`,
        `offer ${this.formatFeatures(required)}`,
      );
    }
    if (this.refused?.offered !== offered) this.refusedAlike = 0;
    const wanted = this.options.decide(offered & ~unusableFeatures, this.refusedAlike);
    if (wanted === undefined) {
      throw this.featureError(`${refusals} sets refused`, "ask for less, or fix the device");
    }
    if (!isSubset(wanted, offered)) {
      const what = `features wanted from ${this.transport.name}`;
      const seen = `${this.formatFeatures(wanted & ~offered)}, not offered`;
      throw configError(what, seen, "ask only for features that the device offers");
    }
    return { offered, negotiated: wanted | required, refusals };
  }

  /** Writes zero words too: some devices take an unwritten word as all that they offer. */
  private writeFeatures(negotiated: FeatureSet): void {
    for (let word = 0; word < this.transport.featureWords; word++) {
      this.transport.writeDriverFeatures(word, featureWord(negotiated, word));
    }
  }

  private checkFeaturesOk(wanted: Negotiation): BringUpState {
    const status = this.checkAlive("device status after FEATURES_OK");
    if ((status & STATUS.FEATURES_OK) === 0) return this.refuse(wanted);
    return { name: "check-offer", wanted };
  }

  private checkOffer(wanted: Negotiation): BringUpState {
    const lost = wanted.negotiated & ~this.readFeatures();
    if (lost === 0n) return { name: "queues", negotiation: wanted };
    return this.refuse(wanted, lost);
  }

  private refuse(wanted: Negotiation, lost = 0n): BringUpState {
    const refusals = wanted.refusals + 1;
    this.refused = wanted;
    this.refusedAlike += 1;
    this.options.onRefused?.(wanted, lost);
    if (refusals < NEGOTIATIONS_MAX) return { name: "reset", refusals };
    throw this.featureError(
      `${refusals} sets refused, the last ${this.formatFeatures(wanted.negotiated)}`,
      "compare with what the device's makers say it needs",
    );
  }

  /** Only a packed ring may have a size that is no power of two (virtio 1.3, 4.1.4.3.2). */
  private setUpQueue(queue: QueueSetup, negotiated: FeatureSet): void {
    const isPowerOfTwo = queue.size > 0 && (queue.size & (queue.size - 1)) === 0;
    if (!isPowerOfTwo && !hasFeature(negotiated, FEATURE.RING_PACKED)) {
      const seen = `size ${queue.size} for a split ring`;
      throw queueError(this.transport, queue.index, seen, "use a power of two");
    }
    this.transport.setUpQueue(queue);
  }

  private checkAlive(what: string): number {
    const status = this.transport.status();
    if (status !== STATUS_GONE && (status & STATUS.DEVICE_NEEDS_RESET) === 0) return status;
    throw new BallonetError({
      code: status === STATUS_GONE ? "device-gone" : "device-failed",
      what: `${what}, ${this.transport.name}`,
      seen: hex(status),
      todo: "look into the host's log for what the device did not like",
    });
  }

  private formatFeatures(set: FeatureSet): string {
    return featureNames(set, FEATURE, this.options.deviceFeatures ?? {});
  }

  private featureError(seen: string, todo: string): BallonetError {
    const what = `feature negotiation with ${this.transport.name}`;
    return new BallonetError({ code: "features", what, seen, todo });
  }

  /** FAILED tells the host; but a device amid a reset, or gone, is not to be written to. */
  private fail(during: BringUpStep, error: BallonetError): BringUpState {
    const resetting = during === "reset" || during === "await-reset";
    const gone = resetting ? undefined : giveUp(this.transport);
    return { name: "failed", during, error: gone ?? error };
  }
}
