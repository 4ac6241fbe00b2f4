/**
 * Guards a device with two interfaces, of which a driver uses one (virtio 1.3, 2.2.3 and 4.1.4.10).
 *
 * The first write decides. Until a reset the other interface then reads as all ones and takes no
 * write but that reset.
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

  /** Guards a structure of one interface; `status` is the offset of its device_status, if any. */
  guard(one: Interface, access: RegisterAccess, status?: number): RegisterAccess {
    return {
      read: (offset, width) =>
        this.isOpen(one, "a read") ? access.read(offset, width) : ones(width),
      write: (offset, width, value) => {
        if (offset === status && value === 0) this.used = undefined;
        if (!this.isOpen(one, `a write of ${value}`)) return;
        this.used = one;
        access.write(offset, width, value);
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
