/**
 * A whole VM in one process: a pattern guest and the driver, on a reference machine that can be
 * exchanged for another one under their feet.
 *
 * It must not judge. Invariant: guest and driver see one memory and one Hal for all their life,
 * whichever machine is behind them.
 */
import { FRAME_BYTES, type SettingsInput } from "../../../runtime/index.ts";
import type { Machine } from "../../device/index.ts";
import {
  type Balloon,
  type BalloonOptions,
  balloonArenaBytes,
  createBalloon,
} from "../../embed/balloon.ts";
import { type CoreSource, loadCore } from "../../embed/load-core.ts";
import { Seat } from "./movable-hal.ts";
import { PatternGuest } from "./pattern-guest.ts";

const WASM_PAGE_BYTES = 65_536;

export interface ReferenceVmOptions {
  /** Frames that guest and balloon share. */
  readonly frames: number;
  readonly settings: SettingsInput;
  /** core.wasm. Default: this package's own. */
  readonly core?: CoreSource | undefined;
  /** How the driver looks for its device. Default: on the PCI bus. */
  readonly discover?: BalloonOptions["discover"];
  machine(memory: WebAssembly.Memory): Machine;
}

/** What a guest does while driver and device are at work; called once for each round of theirs. */
type MeanwhileInGuest = () => void;

/** More rounds than any script of a laboratory needs: past this they ping-pong for ever. */
const ROUNDS_MAX = 20_000;
/** Looks of the driver without anything happening that are called rest. */
const QUIET_ROUNDS = 3;

export class ReferenceVm {
  readonly memory: WebAssembly.Memory;
  readonly balloon: Balloon;
  readonly guest: PatternGuest;
  private readonly seat: Seat;

  private constructor(memory: WebAssembly.Memory, balloon: Balloon, seat: Seat) {
    this.memory = memory;
    this.balloon = balloon;
    this.seat = seat;
    this.guest = new PatternGuest(memory, {
      // Only what is free: a guest that asks for more would have its balloon deflated.
      allocate: (most) => {
        const { free } = balloon.counts();
        return free === 0 ? undefined : balloon.allocate(Math.min(most, free));
      },
      release: (run) => balloon.release(run),
    });
  }

  /**
   * Lays out the memory (nothing at 0, RAM, then the arena), makes the machine and brings its
   * device up.
   * @throws what createBalloon throws.
   */
  static async create(options: ReferenceVmOptions): Promise<ReferenceVm> {
    const { frames, settings } = options;
    const core = await loadCore(options.core);
    const ram = [{ start: FRAME_BYTES, bytes: frames * FRAME_BYTES }];
    const start = FRAME_BYTES + frames * FRAME_BYTES;
    const arena = { start, bytes: await balloonArenaBytes({ core, settings, ram }) };
    const pages = Math.ceil((arena.start + arena.bytes) / WASM_PAGE_BYTES);
    const memory = new WebAssembly.Memory({ initial: pages });
    const seat = new Seat(options.machine(memory));
    const { hal } = seat;
    const { discover } = options;
    const balloon = await createBalloon({
      ...{ core, settings, memory, arena, ram, hal },
      ...(discover && { discover }),
    });
    return new ReferenceVm(memory, balloon, seat);
  }

  get machine(): Machine {
    return this.seat.machine;
  }

  /**
   * Migrates the guest to the machine that `make` makes of the stream.
   * @throws what `make` throws; the guest then goes on where it is.
   */
  migrate(make: (memory: WebAssembly.Memory, incoming: Uint8Array) => Machine): void {
    this.seat.migrate(this.memory, (incoming) => make(this.memory, incoming));
  }

  /** Delivers the interrupt that is pending. False: there was none. */
  deliver(): boolean {
    if (!this.machine.interruptPending) return false;
    const messages = this.machine.takeMessages();
    const bits = messages.reduce((all, message) => all | (1 << message), 0);
    this.balloon.interrupt(messages.length > 0 ? bits : undefined);
    return true;
  }

  /** Lets driver and device work until neither has anything left to do. */
  settle(meanwhile: MeanwhileInGuest = () => {}): void {
    let quiet = 0;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const interrupted = this.deliver();
      const next = this.balloon.step();
      meanwhile();
      const worked = this.machine.run() > 0 || this.machine.interruptPending;
      quiet = interrupted || worked ? 0 : quiet + 1;
      if (next === undefined || quiet >= QUIET_ROUNDS) return;
      this.machine.advance(Math.max(0, next - this.machine.nowMs));
    }
    throw new Error(`driver and device do not come to rest in ${ROUNDS_MAX} rounds`);
  }
}
