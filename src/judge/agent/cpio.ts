/**
 * Writes a cpio archive of the "newc" kind: what Linux takes as its first file system.
 *
 * Folders come before what lies in them, as they were given, and every header and every file starts
 * at a multiple of four bytes.
 */

export interface CpioEntry {
  /** Without a slash at the front. */
  readonly name: string;
  /** Undefined: a folder. */
  readonly bytes?: Uint8Array;
}

const MAGIC = "070701";
const FOLDER_MODE = 0o040755;
const FILE_MODE = 0o100755;
const ALIGNMENT = 4;

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & (ALIGNMENT - 1))]);
}

function record(inode: number, mode: number, { name, bytes }: CpioEntry): Buffer {
  const size = bytes?.length ?? 0;
  // inode, mode, uid, gid, links, time, size, device and its own device (two words each), name, sum
  const fields = [inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, Buffer.byteLength(name) + 1, 0];
  const header = MAGIC + fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  return Buffer.concat([
    padded(Buffer.from(`${header}${name}\0`)),
    padded(bytes ?? new Uint8Array()),
  ]);
}

export function cpio(entries: readonly CpioEntry[]): Buffer {
  const records = entries.map((entry, index) =>
    record(index + 1, entry.bytes === undefined ? FOLDER_MODE : FILE_MODE, entry),
  );
  return Buffer.concat([...records, record(0, 0, { name: "TRAILER!!!" })]);
}
