/**
 * The MSI-X table of a function and its pending bits (PCI 3.0, 6.8.2).
 *
 *   one entry   +0 address low   +4 address high   +8 data   +12 vector control (bit 0: masked)
 *
 * A message is sent only while MSI-X is enabled and neither the function nor the entry is masked.
 * What is raised meanwhile is pending, and sent once.
 */

import type { Context } from "../judge/context.ts";
import { MSIX } from "../spec/numbers.ts";
import type { InterruptMessage } from "../virtio/bus.ts";
import { type RegisterAccess, RegisterBlocks, readOnly } from "../virtio/register-block.ts";
import type { RegisterField } from "../virtio/register-field.ts";

const PARTS = ["address low", "address high", "data"] as const;
const ALL_PARTS = 7;
const PENDING_BITS = 32;

/** How an event leaves the device: as a message or, where the table is elsewhere, as a vector. */
interface MessageWays {
  send(message: InterruptMessage): void;
  readonly vector?: ((vector: number) => void) | undefined;
}

interface Entry {
  readonly parts: [number, number, number];
  /** Which of the parts were ever written, as a bit mask. */
  written: number;
  masked: boolean;
  pending: boolean;
  /** Whether it could send after the last change of a mask. */
  open: boolean;
}

export class MsixTable {
  readonly table: RegisterAccess;
  readonly pendingBits: RegisterAccess;
  enabled = false;
  private readonly context: Context;
  private readonly entries: readonly Entry[];
  private readonly ways: MessageWays;
  private functionMasked = false;

  constructor(context: Context, vectors: number, ways: MessageWays) {
    this.context = context;
    this.ways = ways;
    this.entries = Array.from({ length: vectors }, () => {
      const parts: [number, number, number] = [0, 0, 0];
      return { parts, written: 0, masked: true, pending: false, open: false };
    });
    const rules = { width: "P-MSIX-WIDTH", hole: "P-HOLE" } as const;
    // Every access that is no aligned double word is a breach; what it does is left open.
    const structures = new RegisterBlocks(context, "native", rules);
    const fields = this.entries.flatMap((entry, vector) => this.fields(entry, vector));
    this.table = structures.block("msix", fields);
    this.pendingBits = structures.block("msix", this.pendingFields());
  }

  save() {
    const { enabled, functionMasked, entries } = this;
    return { enabled, functionMasked, entries: entries.map((entry) => ({ ...entry })) };
  }

  /** The fields refer to this table's entries, so those are filled and not replaced. */
  load({ enabled, functionMasked, entries }: ReturnType<MsixTable["save"]>): void {
    this.enabled = enabled;
    this.functionMasked = functionMasked;
    for (const [vector, entry] of this.entries.entries()) Object.assign(entry, entries[vector]);
  }

  get vectors(): number {
    return this.entries.length;
  }

  /** Whether a message waits behind a mask. */
  get hasPending(): boolean {
    return this.enabled && this.entries.some(({ pending }) => pending);
  }

  /** Message control was written. */
  control(value: number): void {
    this.enabled = (value & MSIX.enable) !== 0;
    this.functionMasked = (value & MSIX.functionMask) !== 0;
    this.settle();
  }

  /** An event of this vector happened. */
  raise(vector: number): void {
    const entry = this.entries[vector];
    if (entry === undefined || !this.enabled) return;
    if (this.ways.vector !== undefined) {
      this.ways.vector(vector);
      return;
    }
    if (this.isOpen(entry)) this.sendOut(entry);
    else entry.pending = true;
  }

  private fields(entry: Entry, vector: number): RegisterField[] {
    const at = vector * MSIX.entryBytes;
    const parts = PARTS.map((name, part): RegisterField => {
      return {
        name: `entry ${vector} ${name}`,
        offset: at + part * 4,
        width: 4,
        read: () => entry.parts[part] as number,
        write: (value) => this.writePart(entry, vector, part, value),
      };
    });
    const control: RegisterField = {
      name: `entry ${vector} control`,
      offset: at + PARTS.length * 4,
      width: 4,
      read: () => (entry.masked ? MSIX.masked : 0),
      write: (value) => this.writeControl(entry, vector, value),
    };
    return [...parts, control];
  }

  private pendingFields(): RegisterField[] {
    // In whole quad words (6.8.2.10).
    const words = Math.ceil(this.vectors / (2 * PENDING_BITS)) * 2;
    return Array.from({ length: words }, (_, word) => {
      const read = () => this.pendingWord(word);
      const name = `pending bits ${word}`;
      return readOnly(this.context, name, word * 4, 4, read, "P-PENDING-WRITE");
    });
  }

  private pendingWord(word: number): number {
    const entries = this.entries.slice(word * PENDING_BITS, (word + 1) * PENDING_BITS);
    return entries.reduce((bits, { pending }, bit) => bits + (pending ? 2 ** bit : 0), 0);
  }

  private writePart(entry: Entry, vector: number, part: number, value: number): void {
    const { judge } = this.context;
    if (this.isOpen(entry)) {
      judge.breach("P-MSIX-LIVE", `entry ${vector}: ${PARTS[part]} changes while it may be sent`);
    }
    if (part === 0 && value % 4 !== 0) {
      judge.breach("P-MSIX-ADDRESS", `entry ${vector}: address 0x${value.toString(16)}`);
    }
    entry.parts[part] = value;
    entry.written |= 1 << part;
  }

  private writeControl(entry: Entry, vector: number, value: number): void {
    if ((value & ~MSIX.masked) !== 0) {
      const seen = `entry ${vector}: vector control 0x${value.toString(16)}`;
      this.context.judge.breach("P-MSIX-RESERVED", seen);
    }
    entry.masked = (value & MSIX.masked) !== 0;
    this.settle();
  }

  private isOpen({ masked }: Entry): boolean {
    return this.enabled && !this.functionMasked && !masked;
  }

  /** A mask changed: sends the messages that may be sent now. */
  private settle(): void {
    if (this.ways.vector !== undefined) return;
    for (const [vector, entry] of this.entries.entries()) {
      const wasOpen = entry.open;
      entry.open = this.isOpen(entry);
      if (!entry.open) continue;
      if (!wasOpen && entry.written !== ALL_PARTS) {
        const seen = `entry ${vector} is unmasked, and not all of it was written`;
        this.context.judge.breach("P-MSIX-UNWRITTEN", seen);
      }
      if (entry.pending) this.sendOut(entry);
    }
  }

  private sendOut(entry: Entry): void {
    entry.pending = false;
    if (entry.written !== ALL_PARTS) return;
    const [low, high, data] = entry.parts;
    this.ways.send({ address: high * 0x1_0000_0000 + low, data });
  }
}
