/**
 * Makes the registers of an MMIO device by direction (virtio 1.3, 4.2.2): R, W, or both. All are 32
 * bits wide. An access against the direction is a breach that changes nothing.
 */

import type { Context } from "../judge/context.ts";
import type { RegisterField } from "../virtio/register-field.ts";

export class RegisterMaker {
  private readonly context: Context;

  constructor(context: Context) {
    this.context = context;
  }

  readable(name: string, offset: number, read: () => number): RegisterField {
    const write = (value: number) => {
      this.context.judge.breach("M-READ-ONLY", `${name} is written with ${value}`);
    };
    return { name, offset, width: 4, read, write };
  }

  writable(name: string, offset: number, write: (value: number) => void): RegisterField {
    const read = () => {
      this.context.judge.breach("M-WRITE-ONLY", `${name} is read`);
      return 0;
    };
    return { name, offset, width: 4, read, write };
  }

  both(name: string, offset: number, ways: Pick<RegisterField, "read" | "write">): RegisterField {
    return { name, offset, width: 4, ...ways };
  }
}
