/** This project's driver as the judge takes one, with mistakes on request. */

import type { TransportKind } from "../../src/device/index.ts";
import type { Balloon, BalloonOptions } from "../../src/index.ts";
import { balloonArenaBytes, createBalloon } from "../../src/index.ts";
import type { StartDriver } from "../../src/judge/index.ts";
import {
  importPatched,
  type Patch,
  type PatchedFiles,
  patchedCoreBytes,
  patchFiles,
} from "./patched.ts";
import { coreModule, SLOT_WORD } from "./vm.ts";

/** A build of the driver. */
export interface DriverBuild {
  readonly core: WebAssembly.Module;
  readonly balloonArenaBytes: typeof balloonArenaBytes;
  readonly createBalloon: typeof createBalloon;
}

/** The driver as it is. */
const sources: DriverBuild = { core: coreModule, balloonArenaBytes, createBalloon };

const ENTRY = 'export { balloonArenaBytes, createBalloon } from "./src/index.ts";';

/** A build of patched sources, with what its image is built of. */
export interface PatchedBuild extends DriverBuild {
  readonly files: PatchedFiles;
  /** The core; undefined when no source of it is patched. */
  readonly coreBytes: Uint8Array | undefined;
}

/** Builds the driver with these patches. */
export async function patchedDriver(patches: readonly Patch[]): Promise<PatchedBuild> {
  const files = patchFiles(patches);
  const coreBytes = await patchedCoreBytes(files);
  const core = coreBytes === undefined ? coreModule : new WebAssembly.Module(coreBytes);
  const driver = await importPatched<Omit<DriverBuild, "core">>(ENTRY, files);
  return { ...driver, core, coreBytes, files };
}

const RAM_START = 0x10_0000;
/** Room for the arena of any persona. */
const OWN_BYTES = 3 << 20;

export const MEMORY_BYTES = 16 << 20;

/** Starts ballonet's driver on the memory that the judge gives. */
export function ballonet(
  settings: NonNullable<BalloonOptions["settings"]> = {},
  transport: TransportKind = "modern",
  { core, balloonArenaBytes, createBalloon }: DriverBuild = sources,
): StartDriver {
  const discover = transport.endsWith("mmio") ? { discover: { commandLine: SLOT_WORD } } : {};
  return async ({ hal, memory }) => {
    const ramBytes = memory.buffer.byteLength - RAM_START - OWN_BYTES;
    const ram = [{ start: RAM_START, bytes: ramBytes }];
    const bytes = await balloonArenaBytes({ ram, core, settings });
    const arena = { start: RAM_START + ramBytes, bytes };
    const balloon = await createBalloon({
      memory,
      hal,
      ram,
      arena,
      core,
      settings,
      ...discover,
    });
    const used: NonNullable<ReturnType<Balloon["allocate"]>>[] = [];
    return {
      step: () => {
        const at = balloon.step();
        return at === undefined ? undefined : at - hal.now();
      },
      interrupt: (messages) => balloon.interrupt(messages === 0 ? undefined : messages),
      usePages: (pages) => {
        let got = 0;
        while (got < pages) {
          const frames = balloon.allocate(Math.min(64, pages - got));
          if (frames === undefined) break;
          used.push(frames);
          got += frames.length;
        }
        return got;
      },
      dropPages: () => {
        for (const frames of used.splice(0)) balloon.release(frames);
        return 0;
      },
    };
  };
}
