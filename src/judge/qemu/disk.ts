/** A disk with a system on it, as a machine of QEMU has it: what the guest writes is not kept. */
import { open } from "node:fs/promises";
import { basename, resolve } from "node:path";

export interface Disk {
  readonly path: string;
  readonly name: string;
  readonly format: "qcow2" | "raw";
}

const QCOW_MAGIC = "QFI\xfb";

/** Rejects with the system's error for a file that cannot be read. */
export async function readDisk(path: string): Promise<Disk> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(QCOW_MAGIC.length));
    const isQcow = buffer.toString("latin1", 0, bytesRead) === QCOW_MAGIC;
    return { path: resolve(path), name: basename(path), format: isQcow ? "qcow2" : "raw" };
  } finally {
    await file.close();
  }
}

/** Every system has a driver for such a disk. */
export function diskArguments({ path, format }: Disk): readonly string[] {
  return ["-drive", `file=${path.replaceAll(",", ",,")},format=${format},if=ide,snapshot=on`];
}
