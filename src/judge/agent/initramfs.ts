/** The first file system of a judged Linux: the agent, and the modules that it loads. */
import { cpio } from "./cpio.ts";

/** A module, unpacked. */
export interface KernelModule {
  /** As Linux calls it, with underscores: `virtio_balloon`. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Returns the file system; the modules are loaded in the order in which they are given. */
export function initramfs(
  agent: Uint8Array,
  modules: readonly KernelModule[],
): Uint8Array<ArrayBuffer> {
  const order = modules.map(({ name }) => `${name}\n`).join("");
  return cpio([
    ...["dev", "proc", "sys", "modules"].map((name) => ({ name })),
    { name: "init", bytes: agent },
    { name: "modules/order", bytes: new TextEncoder().encode(order) },
    ...modules.map(({ name, bytes }) => ({ name: `modules/${name}.ko`, bytes })),
  ]);
}
