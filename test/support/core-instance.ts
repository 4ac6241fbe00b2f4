/** An instance of the built core over a memory of the caller's, with no arena yet. */
import type { CoreExports } from "../../runtime/core/exports.ts";
import { FRAME_BYTES } from "../../runtime/core/frames.ts";
import { loadCore } from "../../src/embed/load-core.ts";

const builtCore = await loadCore();

/**
 * `fence` is called at each memory barrier: a device can act there. Frames are really filled, so a
 * fill of frames that the memory does not have throws RangeError.
 */
export function instantiateCore(
  memory: WebAssembly.Memory,
  fence: () => void = () => {},
  module: WebAssembly.Module = builtCore,
): CoreExports {
  const fill = (first: number, length: number, value: number) => {
    const words = (length * FRAME_BYTES) / Uint32Array.BYTES_PER_ELEMENT;
    new Uint32Array(memory.buffer, (first >>> 0) * FRAME_BYTES, words).fill(value);
  };
  const imports = { env: { memory }, hal: { fence, fill } };
  return new WebAssembly.Instance(module, imports).exports as unknown as CoreExports;
}
