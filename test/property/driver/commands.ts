/**
 * What can happen to a guest with a balloon, as plain values that fast-check can shrink.
 *
 * Every command is legal at any time; one that makes no sense at the moment does nothing.
 */
import fc from "fast-check";
import { DEFLATE_MODES, type DeflateMode } from "../../../runtime/index.ts";
import type { OtherHost } from "./rig.ts";
import { FRAMES_MAX } from "./setups.ts";

type Lie = "used-id-out-of-range" | "used-id-not-in-flight" | "used-id-twice" | "used-idx-jump";

export type Command =
  /** The host changes its target; `again` says the old one once more. */
  | { readonly do: "target"; readonly pages: number }
  | { readonly do: "target-again" }
  /** An interrupt is delivered, whether or not there is a cause; the driver works. */
  | { readonly do: "interrupt" }
  /** The driver works without an interrupt. */
  | { readonly do: "step" }
  | { readonly do: "spurious" }
  /** The device does all that it has planned; also what hangs. */
  | { readonly do: "device" }
  /** The device does what falls due, and nobody tells the driver yet. */
  | { readonly do: "time"; readonly ms: number }
  /** Everything comes to rest: then the target is reached. */
  | { readonly do: "rest" }
  | { readonly do: "grow"; readonly frames: number }
  | { readonly do: "shrink"; readonly frames: number }
  | { readonly do: "verify" }
  | { readonly do: "stats" }
  | { readonly do: "follow" }
  | { readonly do: "cooperative" }
  | { readonly do: "gentle"; readonly pagesPerSecond: number }
  | { readonly do: "reserve"; readonly pages: number }
  | { readonly do: "mode"; readonly mode: DeflateMode }
  | { readonly do: "stop" }
  | { readonly do: "start" }
  | { readonly do: "suspend" }
  | { readonly do: "resume" }
  /** The device's next reset takes so many looks. */
  | { readonly do: "slow-reset"; readonly times: number }
  | { readonly do: "needs-reset" }
  /** The guest is migrated, if that host takes it. */
  | { readonly do: "migrate"; readonly host: OtherHost }
  | { readonly do: "lie"; readonly lie: Lie; readonly queue: 0 | 1 | 2; readonly after: number };

const just = <Name extends Command["do"]>(name: Name) => fc.constant({ do: name });

const pages = fc.oneof(
  fc.constantFrom(0, 1, 255, 256, 257, 512, FRAMES_MAX, 0xffff_ffff),
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 0, max: FRAMES_MAX }),
);

const few = fc.integer({ min: 1, max: 120 });

const steady: [number, fc.Arbitrary<Command>][] = [
  [8, fc.record({ do: fc.constant("target"), pages })],
  [2, just("target-again")],
  [8, just("interrupt")],
  [6, just("step")],
  [1, just("spurious")],
  [5, just("device")],
  [5, fc.record({ do: fc.constant("time"), ms: fc.integer({ min: 0, max: 60 }) })],
  [1, fc.record({ do: fc.constant("time"), ms: fc.integer({ min: 61, max: 40_000 }) })],
  [2, just("rest")],
  [5, fc.record({ do: fc.constant("grow"), frames: few })],
  [4, fc.record({ do: fc.constant("shrink"), frames: few })],
  [1, just("verify")],
  [3, just("stats")],
  [1, just("follow")],
  [2, just("cooperative")],
  [
    2,
    fc.record({ do: fc.constant("gentle"), pagesPerSecond: fc.integer({ min: 200, max: 9000 }) }),
  ],
  [2, fc.record({ do: fc.constant("reserve"), pages: fc.integer({ min: 0, max: 100 }) })],
  [
    2,
    fc.record({
      do: fc.constant("mode"),
      mode: fc.constantFrom<DeflateMode>("tell-first", "use-first", "tell-if-must"),
    }),
  ],
];

const weighted: typeof steady = [
  ...steady,
  [1, just("stop")],
  [2, just("start")],
  [1, just("suspend")],
  [2, just("resume")],
  [1, fc.record({ do: fc.constant("slow-reset"), times: fc.integer({ min: 1, max: 3 }) })],
  [1, just("needs-reset")],
];

const anyMode: fc.Arbitrary<Command> = fc.record({
  do: fc.constant("mode"),
  mode: fc.constantFrom(...DEFLATE_MODES),
});

/** Hosts that differ in what they offer and in what they do with memory. */
export const otherHost: fc.Arbitrary<OtherHost> = fc.record({
  hostDesign: fc.constantFrom("plain", "locked", "locked-always"),
  adoptOffer: fc.boolean(),
  offer: fc.record({
    mustTellHost: fc.boolean(),
    statsVq: fc.boolean(),
    deflateOnOom: fc.boolean(),
    eventIdx: fc.boolean(),
    indirect: fc.boolean(),
  }),
});

const migrate: fc.Arbitrary<Command> = fc.record({
  do: fc.constant("migrate"),
  host: otherHost,
});

const lie: fc.Arbitrary<Command> = fc.record({
  do: fc.constant("lie"),
  lie: fc.constantFrom<Lie>(
    "used-id-out-of-range",
    "used-id-not-in-flight",
    "used-id-twice",
    "used-idx-jump",
  ),
  queue: fc.constantFrom(0, 1, 2),
  after: fc.integer({ min: 0, max: 3 }),
});

/** Longest sequence. Shorter ones come up as often: the length is evenly spread. */
const COMMANDS_MAX = 30;

const oneOf = (choices: [number, fc.Arbitrary<Command>][]) =>
  fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })));

const sequence = (one: fc.Arbitrary<Command>) =>
  fc.array(one, { minLength: 1, maxLength: COMMANDS_MAX, size: "max" });

/** With a device that keeps its word. */
export const honestCommands = sequence(oneOf(weighted));
/** With one that now and then writes into a used ring what no device may write. */
export const lyingCommands = sequence(oneOf([...weighted, [4, lie]]));
/** With migrations between hosts that keep their word. */
export const migratingCommands = sequence(oneOf([...weighted, [8, migrate]]));
/** Without any reset, after which a driver may agree on something else. */
export const steadyCommands = sequence(oneOf(steady));
/** With a driver that now and then takes pages back without a word. */
export const silentCommands = sequence(oneOf([...weighted, [4, anyMode]]));
