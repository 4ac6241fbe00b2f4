/**
 * What can happen to a ledger and its rings, as plain values that fast-check can shrink.
 *
 * A step names frames by their place among those in the right state, so every step is legal in
 * every ledger.
 */
import fc from "fast-check";
import {
  type CoreAndModel,
  DEFLATEQ,
  INFLATEQ,
  type PageQueue,
  runsOf,
  type Side,
  same,
} from "./core-and-model.ts";
import { FREE, RESERVED, USED } from "./model/ledger.ts";
import { EVENT_INDEX, PACKED } from "./model/ring.ts";

type DeflateHow = "told" | "untold" | "silent";

/** Some frames among those of one state: a run of them, and a piece of it. */
interface Pick {
  readonly nth: number;
  readonly skip: number;
  readonly most: number;
}

export type Step =
  | ({ readonly kind: "add" | "claim" | "release" } & Pick)
  | { readonly kind: "allocate"; readonly most: number }
  | { readonly kind: "inflate"; readonly want: number }
  | { readonly kind: "deflate"; readonly want: number; readonly how: DeflateHow }
  | { readonly kind: "publish"; readonly queue: PageQueue }
  | { readonly kind: "complete"; readonly queue: PageQueue; readonly order: readonly number[] }
  | { readonly kind: "settle"; readonly queue: PageQueue }
  | { readonly kind: "arm"; readonly queue: PageQueue; readonly after: number }
  | {
      readonly kind: "wish";
      readonly queue: PageQueue;
      readonly flags: number;
      readonly near: number;
    }
  | {
      readonly kind: "ask";
      readonly first: number;
      readonly length: number;
      readonly state: number;
    }
  | { readonly kind: "unit"; readonly frames: number }
  | { readonly kind: "reset" };

/** Mostly a few, sometimes many: small numbers find edges, large ones cross blocks. */
const amount = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 3000 }));
const queue = fc.constantFrom<PageQueue>(INFLATEQ, DEFLATEQ);

const pick = { nth: fc.nat(50), skip: fc.oneof(fc.constant(0), fc.nat(3000)), most: amount };

const frameSteps: fc.WeightedArbitrary<Step>[] = [
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("add"), ...pick }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("allocate"), most: amount }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("claim"), ...pick }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("release"), ...pick }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("ask"),
      first: fc.nat(4000),
      length: fc.nat(1200),
      state: fc.nat(7),
    }),
  },
];

const balloonSteps: fc.WeightedArbitrary<Step>[] = [
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("inflate"), want: amount }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("unit"), frames: fc.constantFrom(1, 128, 256, 512) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("deflate"),
      want: amount,
      how: fc.constantFrom<DeflateHow>("told", "told", "untold", "silent"),
    }),
  },
];

const deviceSteps: fc.WeightedArbitrary<Step>[] = [
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("publish"), queue }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("complete"),
      queue,
      order: fc.array(fc.nat(63), { maxLength: 12 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("settle"), queue }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("arm"), queue, after: fc.nat(70) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("wish"),
      queue,
      flags: fc.nat(3),
      near: fc.integer({ min: -70, max: 70 }),
    }),
  },
];

const resetStep: fc.WeightedArbitrary<Step> = {
  weight: 1,
  arbitrary: fc.constant({ kind: "reset" }),
};

/** Ledger alone, or with a device that completes everything at once. */
export const ledgerStep: fc.Arbitrary<Step> = fc.oneof(...frameSteps, ...balloonSteps, resetStep);

export const ringStep: fc.Arbitrary<Step> = fc.oneof(
  ...frameSteps,
  ...balloonSteps,
  ...balloonSteps,
  ...deviceSteps,
  ...deviceSteps,
  resetStep,
);

/** Frames in `state` as the pick says, or undefined when there are none. */
function choose(pair: CoreAndModel, state: number, { nth, skip, most }: Pick) {
  const runs = runsOf(pair.states).filter((run) => run.state === state);
  const run = runs[nth % Math.max(1, runs.length)];
  if (run === undefined) return undefined;
  const offset = skip % run.length;
  return { first: run.first + offset, length: Math.min(most, run.length - offset) };
}

function exchange(pair: CoreAndModel, from: number, step: Pick & { readonly kind: string }): void {
  const run = choose(pair, from, step);
  if (run === undefined) return;
  pair.both(step.kind, ({ core }) => {
    const { first, length } = run;
    if (step.kind === "add") core.ledger_add(first, length);
    else if (step.kind === "claim") core.ledger_claim(first, length);
    else core.ledger_release(first, length);
    return length;
  });
}

function deflate({ core }: Side, want: number, how: DeflateHow): number {
  if (how === "told") return core.balloon_deflate(want);
  return how === "untold" ? core.balloon_deflate_untold(want) : core.balloon_deflate_silently(want);
}

/** Carries steps out on the core and on the model. */
export class Play {
  readonly pair: CoreAndModel;
  /** A page that was reused untold may go out again before the host saw the first buffer. */
  private untold = false;

  constructor(pair: CoreAndModel) {
    this.pair = pair;
  }

  take(step: Step): void {
    const { pair } = this;
    switch (step.kind) {
      case "add":
        exchange(pair, RESERVED, step);
        break;
      case "claim":
        exchange(pair, FREE, step);
        break;
      case "release":
        exchange(pair, USED, step);
        break;
      case "allocate":
        pair.both("allocate", ({ core }) => core.ledger_allocate(step.most) >>> 0);
        pair.both("run", ({ core }) => core.ledger_run() >>> 0);
        break;
      case "inflate":
        pair.both("inflate", ({ core }) => core.balloon_inflate(step.want));
        break;
      case "deflate":
        this.untold ||= step.how === "untold";
        pair.both(`deflate ${step.how}`, (side) => deflate(side, step.want, step.how));
        break;
      case "publish":
        this.publish(step.queue);
        break;
      case "complete":
        this.complete(step.queue, step.order);
        break;
      case "settle":
        pair.both("settle", ({ core }) => core.balloon_settle(step.queue));
        break;
      case "arm":
        this.arm(step.queue, step.after);
        break;
      case "wish":
        this.wish(step.queue, step.flags, step.near);
        break;
      case "ask": {
        const { first, length, state } = step;
        pair.both("uniform", ({ core }) => core.ledger_uniform(first, length, state));
        break;
      }
      case "unit":
        pair.both("unit", ({ core }) => {
          core.ledger_unit(step.frames);
          return 0;
        });
        break;
      case "reset":
        pair.reset();
        this.untold = false;
    }
  }

  private publish(queueIndex: PageQueue): void {
    const { pair } = this;
    const device = pair.core.devices[queueIndex];
    const before = device.seen;
    const kick = pair.both("kick", ({ core }) => core.queue_publish(queueIndex));
    const now = device.shown;
    const wanted = now !== before && device.wants(before, now);
    same(`kick for ${before}..${now}`, kick !== 0, wanted);
    pair.both("kick for nothing", ({ core }) => core.queue_publish(queueIndex));
    same("shown after publishing nothing", device.shown, now);
    this.collect(queueIndex);
  }

  /** The devices see the same buffers, by the rules of the tiny device. */
  private collect(queueIndex: PageQueue): void {
    const untold = queueIndex === DEFLATEQ && this.untold;
    const core = this.pair.core.devices[queueIndex].collect(untold);
    const model = this.pair.model.devices[queueIndex].collect(untold);
    same("buffers", JSON.stringify(core), JSON.stringify(model));
  }

  /** Gives back some of what the device has, in any order. */
  private complete(queueIndex: PageQueue, order: readonly number[]): void {
    for (const { devices } of [this.pair.core, this.pair.model]) {
      const device = devices[queueIndex];
      for (const choice of order) {
        if (device.held.length > 0) device.finish(choice % device.held.length);
      }
      device.show();
    }
  }

  /** As a driver does before it sleeps: show everything, then ask for an interrupt. */
  private arm(queueIndex: PageQueue, after: number): void {
    this.publish(queueIndex);
    const device = this.pair.core.devices[queueIndex];
    const { features, queueSize } = this.pair.shape;
    // A place in a packed ring is named within one lap.
    const within = (features & PACKED) !== 0 ? after % queueSize : after;
    const back = this.pair.both("arm", ({ core }) => core.queue_arm(queueIndex, within));
    const inFlight = this.pair.core.core.queue_buffers_in_flight(queueIndex);
    const unsettled = inFlight - device.held.length;
    same("something is back", back !== 0, unsettled > 0);
    if ((features & EVENT_INDEX) === 0) return;
    const asked = device.eventOf(device.used - unsettled + within);
    same("interrupt asked for", device.armedAt, asked);
    same("interrupt asked for by both", this.pair.model.devices[queueIndex].armedAt, asked);
  }

  private wish(queueIndex: PageQueue, flags: number, near: number): void {
    const event = this.pair.core.devices[queueIndex].seen + near;
    for (const { devices } of [this.pair.core, this.pair.model]) {
      devices[queueIndex].wish({ flags, event });
    }
  }
}
