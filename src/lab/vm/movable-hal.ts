/** The Hal of a guest that migrates: it leads to the machine that the guest is on now. */
import type { Hal } from "../../../runtime/index.ts";
import type { Machine } from "../../device/index.ts";
import { forwardHal } from "../../embed/forward-hal.ts";

/** Gives driver and guest one Hal for all their life, whichever machine is behind it. */
export class MovableHal {
  readonly hal: Hal;
  private current: Machine;

  constructor(machine: Machine) {
    this.current = machine;
    this.hal = forwardHal(() => this.current.hal);
  }

  /** The machine that the guest is on. */
  get machine(): Machine {
    return this.current;
  }

  /**
   * Migrates the guest. A memory that is given is wiped before the other machine is made from the
   * stream, so that nothing else can have carried it over; without one it stays as it is.
   * @throws what `make` throws; the guest then stays on its machine, with all of its memory.
   */
  migrate(memory: WebAssembly.Memory | undefined, make: (incoming: Uint8Array) => Machine): void {
    const stream = this.current.save({ memory: memory !== undefined });
    const bytes = new Uint8Array(memory?.buffer ?? new ArrayBuffer(0));
    const before = bytes.slice();
    bytes.fill(0);
    try {
      this.current = make(stream);
    } catch (error) {
      bytes.set(before);
      throw error;
    }
  }
}
