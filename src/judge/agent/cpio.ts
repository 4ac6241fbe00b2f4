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

const EMPTY = new Uint8Array();

function padded(bytes: number): number {
  return bytes + (-bytes & (ALIGNMENT - 1));
}

/** The header of an entry, with its name. */
function header(inode: number, mode: number, { name, bytes = EMPTY }: CpioEntry): Uint8Array {
  const path = new TextEncoder().encode(`${name}\0`);
  // inode, mode, uid, gid, links, time, size, device and its own device (two words each), name, sum
  const fields = [inode, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, path.length, 0];
  const text = MAGIC + fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  return Uint8Array.of(...new TextEncoder().encode(text), ...path);
}

export function cpio(entries: readonly CpioEntry[]): Uint8Array<ArrayBuffer> {
  const parts = entries.flatMap((entry, index) => {
    const mode = entry.bytes === undefined ? FOLDER_MODE : FILE_MODE;
    return [header(index + 1, mode, entry), entry.bytes ?? EMPTY];
  });
  parts.push(header(0, 0, { name: "TRAILER!!!" }));
  const archive = new Uint8Array(parts.reduce((sum, { length }) => sum + padded(length), 0));
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += padded(part.length);
  }
  return archive;
}
