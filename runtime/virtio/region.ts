/**
 * A region of device registers, in I/O ports or in memory.
 */
import { BallonetError, hex } from "../errors.ts";
import type { Hal } from "../hal.ts";
import type { Field } from "./constants.ts";

export interface RegionOptions {
  readonly hal: Hal;
  readonly kind: "io" | "memory";
  /** Port number or guest physical address of the first byte. */
  readonly start: number;
  /** Bytes. */
  readonly length: number;
  /** For messages: "common configuration". */
  readonly name: string;
}

/** Registers in ports or memory. No access leaves them, or is not aligned to its width. */
export class Region {
  readonly kind: "io" | "memory";
  readonly start: number;
  readonly length: number;
  private readonly hal: Hal;
  private readonly name: string;

  constructor({ hal, kind, start, length, name }: RegionOptions) {
    this.hal = hal;
    this.kind = kind;
    this.start = start;
    this.length = length;
    this.name = name;
  }

  /** The field's value, unsigned. @throws BallonetError `access` outside of the region. */
  read(field: Field): number {
    this.check(field);
    const at = this.start + field.offset;
    const value =
      this.kind === "io" ? this.hal.portRead(at, field.width) : this.hal.mmioRead(at, field.width);
    return value >>> 0;
  }

  /** @throws BallonetError `access` outside of the region. */
  write(field: Field, value: number): void {
    this.check(field);
    const at = this.start + field.offset;
    if (this.kind === "io") this.hal.portWrite(at, field.width, value);
    else this.hal.mmioWrite(at, field.width, value);
  }

  private check({ offset, width }: Field): void {
    if (offset >= 0 && offset + width <= this.length && offset % width === 0) return;
    throw new BallonetError({
      code: "access",
      what: `access to the ${this.name}`,
      seen: `offset ${hex(offset)}, width ${width}, of ${this.length} bytes`,
      todo: "access only fields that the negotiated features promise, with their own width",
    });
  }
}
