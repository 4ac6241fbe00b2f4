/**
 * One guest on one reference machine, made in a fraction of a millisecond and without a promise, so
 * that ten thousand of them are no burden.
 *
 * All rigs share one memory, so only the youngest is alive; whatever an older one left in it is the
 * garbage that a guest finds in its RAM at boot.
 */
import {
  arenaBytes,
  BalloonDriver,
  type CoreExports,
  discoverBalloon,
  FRAME_BYTES,
  type FrameRun,
  Frames,
  follow,
  type MemoryRange,
  makeSettings,
  openMemory,
} from "../../../runtime/index.ts";
import {
  createMachine,
  type FaultSpec,
  type Machine,
  type MachineOptions,
} from "../../../src/device/index.ts";
import type { GuestProgram } from "../../../src/embed/example/vm.ts";
import { MovableHal } from "../../../src/lab/vm/movable-hal.ts";
import { instantiateCore } from "../../support/core-instance.ts";
import { guestModule, SLOT_WORD } from "../../support/vm.ts";
import { FRAMES_MAX, HOLE_MAX, type Setup, waived } from "./setups.ts";

/** Frame 0, RAM, a hole, and what rings and arrays of the largest setup take. */
const FRAMES_IN_ALL = 1 + FRAMES_MAX + HOLE_MAX + 120;
const FRAMES_PER_WASM_PAGE = 16;
const memory = new WebAssembly.Memory({ initial: Math.ceil(FRAMES_IN_ALL / FRAMES_PER_WASM_PAGE) });

/** How the guest program gets at its frames. */
export interface GuestFrames {
  allocate(most: number): FrameRun | undefined;
  release(run: FrameRun): void;
}

/** In what another host may differ from the first. */
export type OtherHost = Pick<MachineOptions, "hostDesign" | "adoptOffer" | "offer">;

export interface Rig {
  /** The machine that the guest is on now. */
  readonly machine: Machine;
  /** @throws IncomingStreamError when that host does not take the guest. */
  migrate(host: OtherHost): void;
  readonly core: CoreExports;
  readonly driver: BalloonDriver;
  readonly guest: GuestProgram;
  /** The ledger's own view of the guest's frames; the guest program goes through `GuestFrames`. */
  readonly frames: Frames;
  /** Its memory, a nibble a frame: to ask the core for each frame takes much longer. */
  readonly ledger: Uint8Array;
  /** Frames that are RAM, and one more than the last of them. */
  readonly ramFrames: number;
  readonly endFrame: number;
}

function frameRange(first: number, frames: number): MemoryRange {
  return { start: first * FRAME_BYTES, bytes: frames * FRAME_BYTES };
}

function ramOf({ frames, hole }: Setup): MemoryRange[] {
  if (hole.frames === 0) return [frameRange(1, frames)];
  const above = 1 + hole.after + hole.frames;
  return [frameRange(1, hole.after), frameRange(above, frames - hole.after)];
}

function faultsOf({ refusals, way }: Setup): FaultSpec[] {
  const faults: FaultSpec[] = [];
  if (refusals > 0) faults.push({ name: "refuse-features", times: refusals });
  const { refusedVectors: times } = way;
  if (times > 0) faults.push({ name: "vector-refused", times });
  return faults;
}

/** A machine, a driver that was not started, and a guest program that holds nothing. */
export function makeRig(setup: Setup, guestFrames: GuestFrames): Rig {
  const { persona, deflateMode, declinesMustTellHost, queueSizeMax, seed } = setup;
  const { buffersInFlight, pfnsPerBuffer, reservePages, pollMs, way } = setup;
  const settings = makeSettings({
    persona,
    deflateMode,
    ...(declinesMustTellHost && { mustTellHost: "decline" }),
    queueSizeMax,
    buffersInFlight,
    pfnsPerBuffer,
    reservePages,
    pollMs,
    seed,
  });
  const core = instantiateCore(memory);
  const ram = ramOf(setup);
  const endFrame = 1 + setup.frames + setup.hole.frames;
  const bytes = arenaBytes({ core, settings, ram });
  const arena = { start: endFrame * FRAME_BYTES, bytes };
  const own: MachineOptions = {
    memory,
    frames: endFrame + bytes / FRAME_BYTES,
    profile: setup.profile,
    transport: way.transport,
    vectors: way.vectors,
    messages: way.messages,
    ringSize: setup.ringSize,
    offer: setup.offer,
    completion: { inflate: setup.inflate, deflate: setup.deflate },
    quietWhileBusy: setup.quietWhileBusy,
    usedLength: setup.usedLength,
    staleActual: setup.staleActual,
    seed,
    waive: waived(setup),
  };
  const movable = new MovableHal(createMachine({ ...own, faults: faultsOf(setup) }));
  openMemory({ core, settings, arena, ram });
  const { hal } = movable;
  const { prefer, interrupts } = way;
  const commandLine = way.transport.endsWith("mmio") ? SLOT_WORD : "";
  const { transport } = discoverBalloon({ hal, prefer, interrupts, commandLine });
  const frames = new Frames(core);
  const guest = makeGuest(guestFrames);
  // A program that offers what it holds, and gives it at its own time or never.
  const giver = { offeredPages: () => guest.frames_held(), ask: () => {} };
  const ledger = new Uint8Array(memory.buffer, arena.start);
  const driver = new BalloonDriver({ hal, core, settings, transport, policy: follow(), giver });
  return {
    ...{ core, driver, guest, frames, ledger, ramFrames: setup.frames, endFrame },
    get machine() {
      return movable.machine;
    },
    migrate: (host) => {
      // The memory stays in its place: to wipe and copy it each time takes longer than all else.
      movable.migrate(undefined, (incoming) => createMachine({ ...own, ...host, incoming }));
    },
  };
}

function makeGuest({ allocate, release }: GuestFrames): GuestProgram {
  let length = 0;
  const instance = new WebAssembly.Instance(guestModule, {
    env: { memory },
    frames: {
      allocate: (most: number) => {
        const run = allocate(most >>> 0);
        length = run?.length ?? 0;
        return run === undefined ? -1 : run.first;
      },
      run: () => length,
      release: (first: number, count: number) => release({ first, length: count }),
    },
  });
  return instance.exports as unknown as GuestProgram;
}
