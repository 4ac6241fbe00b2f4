/** The thread of a machine on v86: launches the machine, tells of it, and does what it is told. */
import { parentPort, workerData } from "node:worker_threads";
import { describeExit } from "../../vmm/exit.ts";
import { type BalloonStatistics, launchV86, type V86Vmm, VmmError } from "../../vmm/index.ts";
import { handOf } from "./hand-of.ts";
import type {
  FromThread,
  ThreadCall,
  ThreadData,
  ThreadError,
  ThreadHand,
  ToThread,
} from "./v86.ts";

const { state, ...launch } = workerData as ThreadData;

function send(message: FromThread, moved: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, moved);
}

function handIn(vmm: V86Vmm): ThreadHand {
  let known: BalloonStatistics = { tags: {}, lastUpdateMs: undefined };
  return {
    ...handOf(vmm),
    // It ends a run of hints by itself, and keeps no statistics.
    statistics: async ({ fresh }) => {
      if (fresh) known = await vmm.balloon.statistics();
      return known;
    },
    reset: async () => {
      known = { tags: {}, lastUpdateMs: undefined };
      await vmm.reset();
    },
    hint: () => vmm.balloon.hint(),
    save: () => vmm.snapshots.save(),
  };
}

async function answer(hand: ThreadHand, { id, call, argument }: ThreadCall) {
  try {
    const value = await (hand[call] as (argument: unknown) => Promise<unknown>)(argument);
    send({ id, value }, value instanceof ArrayBuffer ? [value] : []);
  } catch (error) {
    send({ id, error: partsOf(error) });
  }
}

/** A copy of an error, as threads copy them, has none of its own fields. */
function partsOf(error: unknown): ThreadError {
  if (!(error instanceof VmmError)) return String(error);
  const { code, what, seen, todo } = error;
  return { code, what, seen, todo };
}

/** A machine that has just ended takes no more lines; what it ended with is told below. */
function sendLine({ control }: V86Vmm, line: Uint8Array): void {
  try {
    control.sendLine({ line, allowOversize: true });
  } catch (error) {
    if (!(error instanceof VmmError)) throw error;
  }
}

async function start(): Promise<V86Vmm> {
  const vmm = await launchV86({ ...launch, paused: true });
  if (state !== undefined) await vmm.snapshots.restore({ state });
  // A reply is for the client in the other thread: it goes there as it is, once v86 has a rest.
  let bytes: number[] = [];
  vmm.control.receive = (more) => {
    if (bytes.length === 0) {
      queueMicrotask(() => {
        send({ control: Uint8Array.from(bytes) });
        bytes = [];
      });
    }
    bytes.push(...more);
  };
  const hand = handIn(vmm);
  parentPort?.on("message", (message: ToThread) => {
    if ("call" in message) void answer(hand, message);
    else sendLine(vmm, message.control);
  });
  await vmm.resume();
  return vmm;
}

try {
  const vmm = await start();
  send({ started: true });
  for await (const line of vmm.log) send({ line });
  send({ ended: describeExit(await vmm.exited) });
} catch (error) {
  send({ failed: partsOf(error) });
}
