/**
 * A configuration space for tests, stricter than a real one: it knows mechanism #1 only, refuses
 * unaligned and oversized accesses, and throws on a write to a function that is not there.
 */
import type { Hal, Width } from "../../../runtime/hal.ts";
import { formatPciAddress, type PciAddress } from "../../../runtime/pci/config.ts";

export interface ConfigAccess {
  readonly at: string;
  readonly offset: number;
  readonly width: Width;
  readonly written?: number;
}

/** Bytes of one function's header and what follows it. */
export class FakeFunction {
  readonly bytes = new DataView(new ArrayBuffer(256));

  constructor(vendorId: number, deviceId: number) {
    this.set(0x00, 2, vendorId).set(0x02, 2, deviceId);
  }

  set(offset: number, width: Width, value: number): this {
    if (width === 1) this.bytes.setUint8(offset, value);
    else if (width === 2) this.bytes.setUint16(offset, value, true);
    else this.bytes.setUint32(offset, value >>> 0, true);
    return this;
  }

  get(offset: number, width: Width): number {
    if (width === 1) return this.bytes.getUint8(offset);
    if (width === 2) return this.bytes.getUint16(offset, true);
    return this.bytes.getUint32(offset, true);
  }

  multiFunction(): this {
    return this.set(0x0e, 1, this.get(0x0e, 1) | 0x80);
  }

  bridgeTo(secondary: number): this {
    return this.set(0x0e, 1, 1).set(0x19, 1, secondary);
  }

  /** Adds a chain of capabilities; each is its bytes without the link, which is filled in. */
  capabilities(list: readonly { readonly at: number; readonly bytes: readonly number[] }[]): this {
    this.set(0x06, 2, 0x10).set(0x34, 1, list[0]?.at ?? 0);
    list.forEach(({ at, bytes }, index) => {
      bytes.forEach((byte, offset) => {
        this.set(at + offset, 1, byte);
      });
      this.set(at + 1, 1, list[index + 1]?.at ?? 0);
    });
    return this;
  }
}

/** Bytes of a virtio capability; `extra` follows the common part. */
export function virtioCap(
  cfgType: number,
  bar: number,
  offset: number,
  length: number,
  extra: readonly number[] = [],
): number[] {
  const le32 = (value: number) => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
  const tail = extra.flatMap(le32);
  return [9, 0, 16 + tail.length, cfgType, bar, 0, 0, 0, ...le32(offset), ...le32(length), ...tail];
}

export class FakeConfigSpace {
  readonly functions = new Map<string, FakeFunction>();
  readonly accesses: ConfigAccess[] = [];
  /** Other ports than the two of mechanism #1. */
  otherPorts: Pick<Hal, "portRead" | "portWrite"> = {
    portRead: (port) => {
      throw new Error(`read of port ${port.toString(16)}`);
    },
    portWrite: (port) => {
      throw new Error(`write of port ${port.toString(16)}`);
    },
  };
  memory: Pick<Hal, "mmioRead" | "mmioWrite"> = {
    mmioRead: (address) => {
      throw new Error(`read of memory ${address.toString(16)}`);
    },
    mmioWrite: (address) => {
      throw new Error(`write of memory ${address.toString(16)}`);
    },
  };
  private selected = 0;

  add(address: string, fake: FakeFunction): FakeFunction {
    this.functions.set(address, fake);
    return fake;
  }

  readonly hal: Hal = {
    portRead: (port, width) => {
      if (port < 0xcf8 || port > 0xcff) return this.otherPorts.portRead(port, width);
      const { at, offset } = this.target(port, width);
      this.accesses.push({ at, offset, width });
      return this.functions.get(at)?.get(offset, width) ?? 2 ** (8 * width) - 1;
    },
    portWrite: (port, width, value) => {
      if (port < 0xcf8 || port > 0xcff) return this.otherPorts.portWrite(port, width, value);
      if (port === 0xcf8) {
        if (width !== 4) throw new Error(`the address register takes 32 bits, not ${8 * width}`);
        if (value < 0x8000_0000 || (value & 3) !== 0) throw new Error(`address ${value}`);
        this.selected = value;
        return;
      }
      const { at, offset } = this.target(port, width);
      this.accesses.push({ at, offset, width, written: value });
      const target = this.functions.get(at);
      if (!target) throw new Error(`write to absent function ${at}`);
      target.set(offset, width, value);
    },
    mmioRead: (address, width) => this.memory.mmioRead(address, width),
    mmioWrite: (address, width, value) => this.memory.mmioWrite(address, width, value),
    now: () => 0,
    log: () => {},
  };

  private target(port: number, width: Width): { at: string; offset: number } {
    if (port < 0xcfc || port % width !== 0) {
      throw new Error(`access of width ${width} to port ${port.toString(16)}`);
    }
    const address: PciAddress = {
      bus: (this.selected >>> 16) & 0xff,
      device: (this.selected >>> 11) & 0x1f,
      function: (this.selected >>> 8) & 7,
    };
    return { at: formatPciAddress(address), offset: (this.selected & 0xfc) + (port & 3) };
  }
}
