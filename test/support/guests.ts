/**
 * Guests for tests: the real images, built from the sources as they are, started and ended.
 *
 * A machine that is started here is gone when its test is, whatever happened, and an image is never
 * older than its sources.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, type TestContext } from "vitest";
import type { DriverStatus } from "../../runtime/balloon/status.ts";
import type { Footprint } from "../../runtime/kernel/machine.ts";
import { type BuiltImage, buildImage } from "../../src/image/build-image.ts";
import { ImageError } from "../../src/image/errors.ts";
import { packageFolder } from "../../src/package.ts";
import { VmmError } from "../../src/vmm/errors.ts";
import type { JsonObject, JsonValue } from "../../src/vmm/json.ts";
import { type LaunchQemuOptions, launchQemu, type QemuVmm } from "../../src/vmm/qemu/qemu.ts";
import { type LaunchV86Options, launchV86, type V86Vmm } from "../../src/vmm/v86/v86.ts";
import type { Vmm } from "../../src/vmm/vmm.ts";
import { findOnPath } from "./process-tree.ts";
import { toolOrSkip } from "./tools.ts";

export const MIB = 1024 * 1024;
export const GIB = 1024 * MIB;
export const PAGES_PER_MIB = 256;

export const ARCHITECTURES = ["i386", "x86_64"] as const;
export type Arch = (typeof ARCHITECTURES)[number];

/** Where a guest can be booted, as a row of a table of tests. */
export type Place =
  | { readonly on: "qemu"; readonly arch: Arch; readonly machine: "pc" | "q35" }
  | { readonly on: "v86" };

export const QEMU_PLACES = [
  { on: "qemu", arch: "i386", machine: "pc" },
  { on: "qemu", arch: "i386", machine: "q35" },
  { on: "qemu", arch: "x86_64", machine: "pc" },
  { on: "qemu", arch: "x86_64", machine: "q35" },
] as const satisfies readonly Place[];

export const PLACES: readonly Place[] = [...QEMU_PLACES, { on: "v86" }];

export function placeName(place: Place): string {
  return place.on === "v86" ? "v86" : `qemu ${place.arch} ${place.machine}`;
}

/** Compiling the engine takes 20 s an architecture on a quiet machine, once. */
const BUILD_MS = 600_000;
/** A boot takes less than a second; a machine that others load can be many times slower. */
export const BOOT_MS = 60_000;

const built = new Map<Arch, BuiltImage>();
let noCompiler: string | undefined;

/** At the top of a test file: builds both images before its tests, and removes them afterwards. */
export function useGuests(): void {
  beforeAll(async () => {
    for (const arch of ARCHITECTURES) {
      // A name of this process's own: others may be building or booting the same at this moment.
      const out = join(packageFolder(), `build/images/test-${process.pid}-${arch}.elf`);
      try {
        built.set(arch, await buildImage({ arch, out }));
      } catch (error) {
        if (!(error instanceof ImageError) || error.code !== "no-compiler") throw error;
        noCompiler = error.message;
      }
    }
  }, BUILD_MS);
  afterAll(async () => {
    for (const { path, symbolsPath } of built.values()) {
      await rm(path, { force: true });
      await rm(symbolsPath, { force: true });
    }
    built.clear();
  });
}

/** The image for this architecture; skips the test where none could be built. */
export function guestImage(context: TestContext, arch: Arch): BuiltImage {
  const image = built.get(arch);
  toolOrSkip(context, image?.path, noCompiler ?? "C compiler");
  return image as BuiltImage;
}

interface GuestOptions {
  /** False: return as soon as the machine runs. Default: when the guest says that it is ready. */
  readonly untilReady?: boolean;
}

/** Boots the real image on QEMU. */
export async function qemuGuest(
  context: TestContext,
  options: Omit<LaunchQemuOptions, "image"> & GuestOptions,
): Promise<QemuVmm> {
  const { untilReady = true, ...rest } = options;
  const program = rest.binary ?? findOnPath(`qemu-system-${rest.arch}`);
  toolOrSkip(context, program, `qemu-system-${rest.arch}`);
  const image = guestImage(context, rest.arch).path;
  const vm = await launchQemu({ timeoutMs: BOOT_MS, ...rest, image });
  context.onTestFinished(async () => {
    await vm.kill();
  });
  if (untilReady) await ready(vm);
  return vm;
}

/** Boots the real image on v86. */
export async function v86Guest(
  context: TestContext,
  options: Omit<LaunchV86Options, "image"> & GuestOptions,
): Promise<V86Vmm> {
  const { untilReady = true, ...rest } = options;
  const image = guestImage(context, "i386").path;
  const vm = await launchV86({ timeoutMs: BOOT_MS, ...rest, image });
  context.onTestFinished(async () => {
    await vm.kill();
  });
  if (untilReady) await ready(vm);
  return vm;
}

/** Boots the real image wherever the table says. */
export function guestAt(
  context: TestContext,
  place: Place,
  options: { memoryBytes: number; append?: string; balloon?: boolean } & GuestOptions,
): Promise<QemuVmm | V86Vmm> {
  if (place.on === "v86") return v86Guest(context, options);
  const { arch, machine } = place;
  return qemuGuest(context, { arch, machine, ...options });
}

/** Waits until the guest says that its driver is at work; answers that line. */
export async function ready(vm: Vmm, from = 0): Promise<string> {
  const pattern = /^ballonet: ready/;
  return (await vm.log.waitForLine({ pattern, from, timeoutMs: BOOT_MS })).text;
}

export type GuestStatus = DriverStatus & {
  readonly workloadFrames: number;
  readonly footprint: Footprint;
  readonly uptimeMs: number;
};

/** A request that has all the time that a loaded machine may need. */
export function ask(vm: Vmm, method: string, params: JsonObject = {}): Promise<JsonValue> {
  return vm.control.request({ method, params, timeoutMs: BOOT_MS });
}

export async function statusOf(vm: Vmm): Promise<GuestStatus> {
  return (await ask(vm, "status")) as unknown as GuestStatus;
}

/** Pages in the balloon, as the host knows them. */
export async function sizeOf(vm: Vmm): Promise<number> {
  return (await vm.balloon.query()).actualPages;
}

/** Presses the power button. A quick guest ends QEMU before it has answered; that is no fault. */
export async function pressPowerButton(vm: QemuVmm): Promise<void> {
  try {
    await vm.execute({ command: "system_powerdown" });
  } catch (error) {
    if (!(error instanceof VmmError && error.code === "exited")) throw error;
  }
}

/** Sets a target and waits until the host sees a balloon of exactly that size. */
export async function inflateTo(vm: Vmm, pages: number): Promise<void> {
  await vm.balloon.setTarget({ pages });
  await vm.balloon.waitForActual({ pages, timeoutMs: BOOT_MS });
}

/** Fills frames with a pattern of this seed; answers the handle. */
export async function allocate(vm: Vmm, frames: number, seed: number): Promise<number> {
  const answer = (await ask(vm, "workload.allocate", { frames, seed })) as { handle: number };
  return answer.handle;
}

/** Verifies every byte of all that the workload owns. */
export async function verifyAll(vm: Vmm): Promise<{ bytes: number; mismatches: number }> {
  return (await ask(vm, "workload.verify")) as { bytes: number; mismatches: number };
}

/** Looks again and again until it is so; the test's own time limit ends it. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 50));
}
