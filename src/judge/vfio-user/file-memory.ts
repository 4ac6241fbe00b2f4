/** Guest memory as a file that an emulator has mapped: the device reads and writes the file. */
import { closeSync, fchmodSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";

export class FileMemory {
  readonly bytes: number;
  private readonly file: number;

  /** Makes the file, readable by its owner alone. The memory is all zeros. */
  constructor(path: string, bytes: number) {
    this.file = openSync(path, "wx+", 0o600);
    fchmodSync(this.file, 0o600);
    ftruncateSync(this.file, bytes);
    this.bytes = bytes;
  }

  read(address: number, into: Uint8Array): void {
    const got = readSync(this.file, into, 0, into.length, address);
    if (got !== into.length) throw new Error(`guest memory ends before ${address + into.length}`);
  }

  write(address: number, from: Uint8Array): void {
    const done = writeSync(this.file, from, 0, from.length, address);
    if (done !== from.length) throw new Error("guest memory cannot be written");
  }

  close(): void {
    closeSync(this.file);
  }
}
