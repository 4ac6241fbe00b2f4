/**
 * Builds the driver with a mutant's mistake in it.
 *
 * What is not patched is what the sources say.
 */
import { compilePatchedCore, importPatched, patchFiles } from "../../support/patched.ts";
import { coreModule } from "../../support/vm.ts";
import type { Build } from "../testbed.ts";
import type { Mutant } from "./mutant.ts";

const CORE = "assembly/";

/** What scenarios use of a build. */
const ENTRY =
  'export { createWasmVm } from "./src/embed/example/vm.ts";' +
  'export { cooperative, follow, gentle } from "./runtime/index.ts";';

export async function buildMutant(mutant: Mutant): Promise<Build> {
  const files = patchFiles([mutant, ...(mutant.and ?? [])]);
  const patchesCore = [...files.keys()].some((name) => name.startsWith(CORE));
  const core = patchesCore ? await compilePatchedCore(files) : coreModule;
  return { ...(await importPatched<Omit<Build, "core">>(ENTRY, files)), core };
}
