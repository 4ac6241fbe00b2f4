/** A whole VM in one process: a pattern guest and the driver, on reference machines. */
import type { SettingsInput } from "../../../runtime/index.ts";
import type { Machine } from "../../device/index.ts";
import type { Balloon } from "../../embed/balloon.ts";
import { createBalloon } from "../../embed/create-balloon.ts";
import { loadCore } from "../../embed/load-core.ts";
import type { BalloonOptions, CoreSource } from "../../embed/options.ts";
import { layOutMemory } from "../../embed/wasm-vm.ts";
import { MovableHal } from "./movable-hal.ts";
import { PatternGuest } from "./pattern-guest.ts";

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

/** What the guest does while driver and device work; called once in each of their rounds. */
type MeanwhileInGuest = () => void;

/** More rounds than any script of src/lab needs: past this, they never come to rest. */
const ROUNDS_MAX = 20_000;
/** Steps of the driver in a row in which nothing happened: past this, it is at rest. */
const QUIET_ROUNDS = 3;

/**
 * Guest and driver see one memory and one Hal for all their life; `migrate` exchanges the machine
 * behind them.
 */
export class ReferenceVm {
  readonly memory: WebAssembly.Memory;
  readonly balloon: Balloon;
  readonly guest: PatternGuest;
  private readonly movable: MovableHal;

  private constructor(memory: WebAssembly.Memory, balloon: Balloon, movable: MovableHal) {
    this.memory = memory;
    this.balloon = balloon;
    this.movable = movable;
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
   * Makes the memory and the machine, and brings its device up.
   * @throws what createBalloon throws.
   */
  static async create(options: ReferenceVmOptions): Promise<ReferenceVm> {
    const { frames, settings, discover = {} } = options;
    const core = await loadCore(options.core);
    const layout = await layOutMemory({ frames, settings, core });
    const movable = new MovableHal(options.machine(layout.memory));
    const balloon = await createBalloon({ ...layout, settings, discover, hal: movable.hal });
    return new ReferenceVm(layout.memory, balloon, movable);
  }

  get machine(): Machine {
    return this.movable.machine;
  }

  /**
   * Migrates the guest to the machine that `make` makes of the stream.
   * @throws what `make` throws; the guest then goes on where it is.
   */
  migrate(make: (memory: WebAssembly.Memory, incoming: Uint8Array) => Machine): void {
    this.movable.migrate(this.memory, (incoming) => make(this.memory, incoming));
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
