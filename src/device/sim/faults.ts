/**
 * The ways in which the device can be told to misbehave, and what a good driver does then. A test
 * can be written from this table alone.
 */

/** A way to misbehave that the device knows. */
export interface Fault<Name extends string = string> {
  readonly name: Name;
  /** What the device does. */
  readonly does: string;
  /** What a good driver does then. */
  readonly expected: string;
}

const QUARANTINE =
  "The driver sets FAILED, says why, reuses none of its buffers in flight, and the guest lives on.";

const GONE =
  "The driver takes every page back, says so once, and touches the device no more; it is no lie.";

/** Its type keeps the names alone, which `FaultName` is made of. */
function faultsOf<const Name extends string>(table: readonly Fault<Name>[]) {
  return table;
}

/** All faults, for the machine's option `faults` and its `inject`. */
export const faults = faultsOf([
  {
    name: "used-id-out-of-range",
    does: "The next returned buffer is reported with an id that is not below the queue size.",
    expected: QUARANTINE,
  },
  {
    name: "used-id-not-in-flight",
    does:
      "The next returned buffer is reported with an id in range that is neither in flight nor " +
      "made available.",
    expected: QUARANTINE,
  },
  {
    name: "used-id-twice",
    does: "The next returned buffer is reported twice in a row.",
    expected: QUARANTINE,
  },
  {
    name: "used-idx-jump",
    does: "used idx moves on by more than the queue size.",
    expected: QUARANTINE,
  },
  {
    name: "used-idx-back",
    does: "used idx moves back by one instead of forward.",
    expected: QUARANTINE,
  },
  {
    name: "used-unseen",
    does:
      "The next returned buffer is marked so that no driver can see it: used idx does not move; " +
      "in a packed queue the flags are those of the other lap.",
    expected: "The driver waits no longer than it has set itself, and its other queues work on.",
  },
  {
    name: "queue-hangs",
    does:
      "From the next buffer on, the queue takes buffers and returns none, those in flight " +
      "included, until it or the device is reset.",
    expected: "The state is visible, the driver is quiet, and its other queues work on.",
  },
  {
    name: "used-flags-stray",
    does: "With EVENT_IDX the flags of a split queue's used ring are 1, where they must be 0.",
    expected: "The driver ignores them and goes by avail_event.",
  },
  {
    name: "event-bits-stray",
    does: "Over MMIO all undefined bits of InterruptStatus are 1, where they must be 0.",
    expected: "The driver ignores them and acknowledges none.",
  },
  {
    name: "refuse-features",
    does: "FEATURES_OK does not stay set, whatever was accepted, `times` times.",
    expected:
      "The driver resets, reads the offer again and tries again a bounded number of times; then " +
      "FAILED.",
  },
  {
    name: "refuse-without-must-tell-host",
    does: "FEATURES_OK does not stay set unless MUST_TELL_HOST is accepted.",
    expected: "A driver that accepts the bit comes up; another one sets FAILED.",
  },
  {
    name: "reset-never-clears",
    does: "After a reset device_status never reads 0.",
    expected: "The driver gives up after a bounded wait; it sets no status bit.",
  },
  {
    name: "reset-slow",
    does: "After a reset the first `times` reads of device_status do not give 0 yet.",
    expected: "The driver waits and comes up.",
  },
  {
    name: "queue-reset-slow",
    does: "After a queue was reset by itself the first `times` reads of queue_reset give 1.",
    expected: "The driver waits, and then uses the queue again or leaves it alone.",
  },
  {
    name: "queue-reset-never",
    does: "After a queue was reset by itself queue_reset reads 1 for ever.",
    expected: "The driver gives the queue up after a bounded wait.",
  },
  {
    name: "vector-refused",
    does: "An event that is mapped to an MSI-X vector reads NO_VECTOR, `times` times.",
    expected: "The driver tries with fewer vectors, or turns MSI-X off and uses the line.",
  },
  {
    name: "message-lost",
    does: "The next message of MSI-X is not sent, `times` times.",
    expected: "The driver looks by itself before long, and finds what it was not told of.",
  },
  {
    name: "generation-never-settles",
    does: "config_generation reads differently every time.",
    expected: "The driver retries a bounded number of times and goes on; it does not hang.",
  },
  {
    name: "hint-id-stale",
    does: "The next run of hinting has the id of the run before, whatever the driver did with it.",
    expected: "The driver sends the id at most once for each time that it saw it come.",
  },
  {
    name: "hint-done-early",
    does: "With the next hinted range the device says DONE, without waiting for STOP.",
    expected: "The driver stops hinting and takes its pages back.",
  },
  {
    name: "gone",
    does:
      "After `after` accesses the device is taken out: all reads of it give ones, writes are " +
      "lost, and it touches no memory any more.",
    expected: GONE,
  },
  {
    name: "gone-zeros",
    does: "The same on a host where memory that nobody answers for reads as zeros.",
    expected: GONE,
  },
  {
    name: "needs-reset",
    does: "The device sets DEVICE_NEEDS_RESET and serves nothing until it is reset.",
    expected: "The driver stops using its queues; it may reset and start again.",
  },
]);

/** The `name` of a fault. */
export type FaultName = (typeof faults)[number]["name"];

/** A fault to inject. */
export interface FaultSpec {
  readonly name: FaultName;
  /** The only queue that it strikes. Default: any. */
  readonly queue?: number;
  /** How many buffers (accesses, where the fault says so) pass before it strikes. Default 0. */
  readonly after?: number;
  /** How often it strikes. Default 1; faults that last ignore it. */
  readonly times?: number;
}

interface Armed {
  readonly spec: FaultSpec;
  wait: number;
  left: number;
}

/** Holds the faults that are armed, and says when each strikes. */
export class FaultInjector {
  /** Those that have struck. */
  readonly struck = new Set<FaultName>();
  private armed: Armed[] = [];

  arm(spec: FaultSpec): void {
    this.armed.push({ spec, wait: spec.after ?? 0, left: spec.times ?? 1 });
  }

  /** Whether the fault strikes now. Counts down `after` first, then `times`. */
  strikes(name: FaultName, queue?: number): boolean {
    const armed = this.find(name, queue);
    if (armed === undefined) return false;
    if (armed.wait > 0) {
      armed.wait -= 1;
      return false;
    }
    this.struck.add(name);
    armed.left -= 1;
    if (armed.left <= 0) this.armed = this.armed.filter((other) => other !== armed);
    return true;
  }

  /** Whether the fault is armed; for faults that last. */
  lasts(name: FaultName): boolean {
    if (this.find(name) === undefined) return false;
    this.struck.add(name);
    return true;
  }

  private find(name: FaultName, queue?: number): Armed | undefined {
    return this.armed.find(
      ({ spec }) =>
        spec.name === name &&
        (spec.queue === undefined || queue === undefined || spec.queue === queue),
    );
  }
}
