/**
 * A device with two interfaces, of which a driver uses one (virtio 1.3, 2.2.3 and 4.1.4.10).
 *
 * It must not know registers. Invariant: the first write decides; from then on until a reset the
 * other interface reads as ones and takes nothing, except that very reset.
 */

import type { Context } from "../judge/context.ts";
import { ones, type RegisterAccess } from "./register-block.ts";
import type { VirtioDevice } from "./virtio-device.ts";

type Interface = "modern" | "legacy";

export class InterfaceLock {
  private readonly context: Context;
  private readonly virtio: VirtioDevice;
  private used: Interface | undefined;

  constructor(context: Context, virtio: VirtioDevice) {
    this.context = context;
    this.virtio = virtio;
  }

  /** A structure of one of the interfaces; its device status, if it has that, is at `status`. */
  guard(one: Interface, face: RegisterAccess, status?: number): RegisterAccess {
    return {
      read: (offset, width) =>
        this.isOpen(one, "a read") ? face.read(offset, width) : ones(width),
      write: (offset, width, value) => {
        if (offset === status && value === 0) this.used = undefined;
        if (!this.isOpen(one, `a write of ${value}`)) return;
        this.used = one;
        face.write(offset, width, value);
      },
    };
  }

  save() {
    return { used: this.used };
  }

  load({ used }: ReturnType<InterfaceLock["save"]>): void {
    this.used = used;
  }

  private isOpen(one: Interface, what: string): boolean {
    if (this.used === undefined || this.used === one) {
      this.virtio.useInterface(one);
      return true;
    }
    const seen = `${what} by the ${one} interface while the ${this.used} one is in use`;
    this.context.judge.breach("P-MIXED", seen);
    return false;
  }
}
