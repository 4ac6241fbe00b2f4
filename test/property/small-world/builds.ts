/** Builds of the driver for small worlds: as it is, and with one mistake in it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as runtime from "../../../runtime/index.ts";
import { packageFolder } from "../../../src/package.ts";
import { importPatched, type Patch, patchedCoreBytes, patchFiles } from "../../support/patched.ts";
import type { Build } from "./balloon-world.ts";
import { openGlobals } from "./open-globals.ts";

const builtCore = () => new Uint8Array(readFileSync(join(packageFolder(), "build/core.wasm")));

/** The driver as it is. */
export function theDriver(): Build {
  return { core: openGlobals(builtCore()), runtime };
}

/** The driver with its text changed. */
export async function patchedDriver(patches: readonly Patch[]): Promise<Build> {
  const files = patchFiles(patches);
  const core = openGlobals((await patchedCoreBytes(files)) ?? builtCore());
  return { core, runtime: await importPatched('export * from "./runtime/index.ts";', files) };
}
