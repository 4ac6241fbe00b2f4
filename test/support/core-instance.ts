/**
 * An instance of the built core over a memory of the caller's.
 *
 * Every instance has globals of its own, so nothing of an earlier one is left over.
 */
import type { CoreExports } from "../../runtime/core/exports.ts";
import { loadCore } from "../../src/embed/load-core.ts";

const builtCore = await loadCore();

/** `fence` is called at each memory barrier, as the other side of the memory might act there. */
export function instantiateCore(
  memory: WebAssembly.Memory,
  fence: () => void = () => {},
  module: WebAssembly.Module = builtCore,
): CoreExports {
  const imports = { env: { memory }, hal: { fence, fill: () => {} } };
  return new WebAssembly.Instance(module, imports).exports as unknown as CoreExports;
}
