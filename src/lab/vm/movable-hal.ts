/**
 * Where a guest sits: a Hal that leads to whichever machine the guest is on now, so that driver and
 * guest need not know when that becomes another one.
 *
 * It must not know the guest. Invariant: a guest that another machine did not take is where it was,
 * with all of its memory.
 */
import type { Hal } from "../../../runtime/index.ts";
import type { Machine } from "../../device/index.ts";

export class Seat {
  readonly hal: Hal;
  private current: Machine;

  constructor(machine: Machine) {
    this.current = machine;
    this.hal = {
      portRead: (port, width) => this.current.hal.portRead(port, width),
      portWrite: (port, width, value) => this.current.hal.portWrite(port, width, value),
      mmioRead: (address, width) => this.current.hal.mmioRead(address, width),
      mmioWrite: (address, width, value) => this.current.hal.mmioWrite(address, width, value),
      now: () => this.current.hal.now(),
      log: (level, line) => this.current.hal.log(level, line),
      ...(machine.hal.interrupts && {
        interrupts: { allocate: (count) => this.current.hal.interrupts?.allocate(count) },
      }),
    };
  }

  get machine(): Machine {
    return this.current;
  }

  /**
   * Migrates the guest. A memory that is given is wiped before the other machine is made from the
   * stream, so that nothing else can have carried it over; without one it stays as it is.
   * @throws what `make` throws; the guest then goes on where it is.
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
