/** Debian's Linux for i386 in v86, for tests that go on from the state after its boot. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { TestContext } from "vitest";
import { readModules } from "../../../src/judge/agent/modules.ts";
import {
  type LinuxPlatform,
  linuxAgent,
  linuxImage,
  linuxInV86,
} from "../../../src/judge/index.ts";
import { kernelOrSkip } from "../../support/tools.ts";

export const MEMORY_BYTES = 128 * 1024 * 1024;

/** What the image is made of. */
export async function partsOfLinux(context: TestContext) {
  const path = kernelOrSkip(context, "linux-6.1-i386");
  return {
    kernel: await readFile(path),
    agent: await linuxAgent({ arch: "i386" }),
    modules: await readModules(join(dirname(path), "modules")),
    memoryBytes: MEMORY_BYTES,
  };
}

/** The platform must be ended. */
export async function linuxOf(context: TestContext): Promise<LinuxPlatform> {
  const image = linuxImage(await partsOfLinux(context));
  return linuxInV86({ image, memoryBytes: MEMORY_BYTES, device: {} });
}
