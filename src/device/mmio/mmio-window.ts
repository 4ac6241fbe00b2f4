/** The balloon's memory-mapped registers, as a machine of the caller's reaches them. */

import type { AbsentMemory } from "../virtio/bus.ts";
import { ones, type RegisterAccess } from "../virtio/register-block.ts";

/** Width of one access, in bytes. */
type Width = 1 | 2 | 4;

/** The device as memory-mapped registers by themselves. Offsets count from their start. */
export interface MmioDevice {
  /** Bytes of the registers, the device configuration included. */
  readonly bytes: number;
  /** Returns all ones where no register answers. */
  read(offset: number, width: Width): number;
  write(offset: number, width: Width, value: number): void;
}

/** What happens around each access. */
interface Around {
  before(): void;
  after(): void;
}

export class MmioWindow implements MmioDevice {
  readonly bytes: number;
  private readonly around: Around;
  private shown: RegisterAccess | undefined;
  private absent: AbsentMemory = "ones";

  constructor(around: Around, bytes: number) {
    this.around = around;
    this.bytes = bytes;
  }

  /** The registers are there from now on. */
  show(registers: RegisterAccess): void {
    this.shown = registers;
  }

  /** The registers are gone: reads find nothing. */
  hide(absent: AbsentMemory): void {
    this.shown = undefined;
    this.absent = absent;
  }

  read(offset: number, width: Width): number {
    this.around.before();
    const nothing = this.absent === "zeros" ? 0 : ones(width);
    const value = this.shown?.read(offset, width) ?? nothing;
    this.around.after();
    return value;
  }

  write(offset: number, width: Width, value: number): void {
    this.around.before();
    this.shown?.write(offset, width, value);
    this.around.after();
  }
}
