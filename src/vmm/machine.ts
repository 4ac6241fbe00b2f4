/** What the machines of both emulators have in common: the exit port, and checks of options. */

import { VmmError } from "./errors.ts";

/** Where the guest writes its exit code. v86 uses QEMU's customary 0xf4 itself. */
export const EXIT_PORT = 0x501;
export const EXIT_PORT_BYTES = 4;

/** A guest's command line has to fit into the first pages of its memory. */
const MAX_APPEND_BYTES = 4_096;
const MIN_MEMORY_BYTES = 1024 * 1024;

/** @throws VmmError `option` unless it is a multiple of the granule, from 1 MiB up to the most. */
export function checkMemory(parts: {
  memoryBytes: number;
  granuleBytes: number;
  maxBytes?: number;
}): void {
  const { memoryBytes, granuleBytes, maxBytes = Number.MAX_SAFE_INTEGER } = parts;
  const fits =
    Number.isSafeInteger(memoryBytes) &&
    memoryBytes >= MIN_MEMORY_BYTES &&
    memoryBytes <= maxBytes &&
    memoryBytes % granuleBytes === 0;
  if (fits) return;
  throw new VmmError({
    code: "option",
    what: "memoryBytes",
    seen: String(memoryBytes),
    todo:
      parts.maxBytes === undefined
        ? `give a multiple of ${granuleBytes}, at least ${MIN_MEMORY_BYTES}`
        : `give a multiple of ${granuleBytes} from ${MIN_MEMORY_BYTES} to ${maxBytes}`,
  });
}

/** Checks a guest's command line. @throws VmmError `option`. */
export function checkAppend(append: string): void {
  const bytes = new TextEncoder().encode(append).length;
  if (bytes <= MAX_APPEND_BYTES && !append.includes("\0")) return;
  throw new VmmError({
    code: "option",
    what: "the guest's command line",
    seen: append.includes("\0") ? "a NUL character" : `${bytes} bytes`,
    todo: `stay within ${MAX_APPEND_BYTES} bytes without NUL`,
  });
}

/** Returns the error for an image that cannot be read. */
export function unreadableImage(path: string, cause: unknown): VmmError {
  return new VmmError({
    code: "image",
    what: `guest image ${path}`,
    seen: "no readable file",
    todo: "build it with npm run build, or give its path",
    cause,
  });
}
