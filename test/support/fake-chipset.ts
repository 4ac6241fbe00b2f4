/**
 * QEMU's PIIX4 on the bus of a fake machine: the slots of bus 0 and of one more, and the power
 * button.
 *
 * A slot is ejected only when the host wants it back, and the interrupt line is up while an enabled
 * event has not been taken back.
 */
import type { Width } from "../../runtime/hal.ts";

const FUNCTION = 0x8000_f000;
const ONES = 0xffff_ffff;
const POWER_BUTTON = 0x100;
const PLUGGING = 2;

export class FakeChipset {
  /** The slots that the host wants back, a bit each, by the chipset's own number of the bus. */
  readonly wanted: Record<number, number> = {};
  /** Slots that the guest let go. */
  readonly ejected: string[] = [];
  onEject: ((bus: number, device: number) => void) | undefined;
  private address = 0;
  private bus = 0;
  /** By port, as the guest wrote them. */
  private readonly enabled = new Map<number, number>();
  private pm1 = 0;
  private gpe = 0;

  /** Whether the interrupt line is up. */
  get asks(): boolean {
    const button = this.pm1 & (this.enabled.get(0x602) ?? 0);
    return (button | (this.gpe & (this.enabled.get(0xafe2) ?? 0))) !== 0;
  }

  /** The host wants the device in a slot back. */
  want(bus: number, device: number): void {
    this.wanted[bus] = ((this.wanted[bus] ?? 0) | (1 << device)) >>> 0;
    this.gpe |= PLUGGING;
  }

  /** The host has put a device into some slot. */
  filled(): void {
    this.gpe |= PLUGGING;
  }

  /** QEMU forgets a press that nobody wants to hear of. */
  pressPower(): void {
    if ((this.enabled.get(0x602) ?? 0) & POWER_BUTTON) this.pm1 |= POWER_BUTTON;
  }

  /** Undefined where it does not answer. */
  read(port: number, width: Width): number | undefined {
    if (port >= 0xcfc && port <= 0xcff)
      return this.config((this.address & 0xfc) + (port & 3), width);
    switch (port) {
      case 0x600:
        return this.pm1;
      case 0xafe0:
        return this.gpe;
      case 0x602:
      case 0xafe2:
        return this.enabled.get(port) ?? 0;
      case 0xae04:
        return this.wanted[this.bus] ?? 0;
      case 0xae08:
        return 0;
      default:
        return undefined;
    }
  }

  /** Whether it was a write to it. */
  write(port: number, value: number): boolean {
    switch (port) {
      case 0xcf8:
        this.address = value;
        return false;
      case 0x600:
        this.pm1 &= ~value;
        return true;
      case 0xafe0:
        this.gpe &= ~value;
        return true;
      case 0x602:
      case 0xafe2:
        this.enabled.set(port, value);
        return true;
      case 0xae10:
        this.bus = value;
        return true;
      case 0xae08:
        this.eject(value);
        return true;
      default:
        return port >= 0xcfc && port <= 0xcff && this.isSelected;
    }
  }

  private get isSelected(): boolean {
    return (this.address & 0xffff_ff00) >>> 0 === FUNCTION;
  }

  private config(offset: number, width: Width): number | undefined {
    if (!this.isSelected) return undefined;
    const words: Record<number, number> = { 0: 0x7113_8086, 44: 0x1100_1af4, 64: 0x601 };
    const word = words[offset & 0xfc] ?? 0;
    return Math.floor(word / 2 ** (8 * (offset & 3))) % 2 ** (8 * width);
  }

  private eject(slots: number): void {
    const wanted = this.wanted[this.bus] ?? 0;
    if (slots === ONES || (slots & ~wanted) !== 0) throw new Error(`eject: ${slots} of ${wanted}`);
    this.wanted[this.bus] = (wanted & ~slots) >>> 0;
    const device = Math.log2(slots);
    this.ejected.push(`${this.bus}:${device}`);
    this.onEject?.(this.bus, device);
  }
}
