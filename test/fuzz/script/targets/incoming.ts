/**
 * A stream of a machine, as another host takes it: any bytes are taken, or are refused by one error,
 * and then nothing of them was taken.
 *
 *   input   a byte: the whole stream follows, or its text alone, or a text that is put into a stream
 *           with a page behind it
 */

import { IncomingStreamError } from "../../../../src/device/errors.ts";
import { createMachine } from "../../../../src/device/index.ts";

const FRAMES = 64;
const FRAME = 4096;
const WORD = 0x1234_5678;
const VERSION = 2;
const memory = new WebAssembly.Memory({ initial: 4 });
const words = new Uint32Array(memory.buffer);

function streamOf(text: Uint8Array, pages: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16 + text.length + pages.length);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("ballonet"));
  view.setUint32(8, VERSION, true);
  view.setUint32(12, text.length, true);
  bytes.set(text, 16);
  bytes.set(pages, 16 + text.length);
  return bytes;
}

function incomingOf(input: Uint8Array): Uint8Array {
  const rest = input.subarray(1);
  if (input[0] === 0) return rest;
  const pages = new Uint8Array(input[0] === 1 ? 0 : 4 + FRAME);
  pages[0] = input[0] ?? 0;
  return streamOf(rest, pages);
}

export function run(input: Uint8Array): void {
  words.fill(WORD);
  const incoming = incomingOf(input);
  try {
    createMachine({
      ...{ memory, frames: FRAMES, transport: "mmio", ringSize: 8, judging: false, incoming },
    });
  } catch (error) {
    if (!(error instanceof IncomingStreamError)) throw error;
    if (words.some((word) => word !== WORD)) throw new Error("a refused guest has left something");
  }
}
