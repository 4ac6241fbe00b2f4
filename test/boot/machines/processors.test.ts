/**
 * Processors of many kinds: the images come up on each that has what they need, and on any other
 * one line says what is missing.
 */
import { beforeEach, expect, test } from "vitest";
import { STOP } from "../../../runtime/kernel/exit-codes.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { type Arch, bootImage, scriptImage } from "../support/kernel-images.ts";

const ARCHES: readonly Arch[] = ["i386", "x86_64"];
const CODE = 9;
/** Machines that run at the same time. */
const AT_ONCE = 3;

const MODELS = [
  "qemu64",
  "kvm64",
  "max",
  "phenom",
  "core2duo",
  "Conroe",
  "Penryn",
  "Nehalem",
  "Westmere",
  "SandyBridge",
  "Haswell",
  "Skylake-Client",
  "Icelake-Server",
  "Opteron_G1",
  "EPYC",
];
const MODELS_32 = ["qemu32", "kvm32", "coreduo", "n270", "athlon", "qemu64,-pae"];

/** What a processor lacks for the i386 image, and for the x86_64 image. */
const LACKING: readonly [model: string, i386: string, x86_64: string][] = [
  ["486", "CMOV, FXSR, SSE, SSE2", "PAE, long mode, CMOV, FXSR, SSE, SSE2"],
  ["pentium", "CMOV, FXSR, SSE, SSE2", "PAE, long mode, CMOV, FXSR, SSE, SSE2"],
  ["pentium3", "SSE2", "long mode, SSE2"],
  ["qemu64,-sse2", "SSE2", "SSE2"],
  ["qemu64,-fxsr", "FXSR", "FXSR"],
  ["qemu64,-cmov", "CMOV", "CMOV"],
  ["qemu64,-fpu", "FPU", "FPU"],
  ["qemu64,-pse", "PSE", ""],
  ["qemu64,-pae", "", "PAE"],
  ["qemu64,-lm", "", "long mode"],
  ["qemu32", "", "long mode"],
];

beforeEach((context) => {
  for (const arch of ARCHES) {
    toolOrSkip(context, findOnPath(`qemu-system-${arch}`), `qemu-system-${arch}`);
  }
});

async function run(arch: Arch, image: string, model: string) {
  const vm = await bootImage(arch, image, { machine: "pc", extraArgs: ["-cpu", model] });
  const { guestExitCode: code } = await vm.exited;
  return { model, code, lines: vm.log.lines };
}

test.each(ARCHES)("%s comes up on every processor that has what it needs", async (arch) => {
  const image = await scriptImage(arch, `boot() { machine.exit(${CODE}) }`);
  const models = arch === "i386" ? [...MODELS, ...MODELS_32] : MODELS;
  for (let at = 0; at < models.length; at += AT_ONCE) {
    const some = models.slice(at, at + AT_ONCE);
    const ends = await Promise.all(some.map((model) => run(arch, image, model)));
    expect(ends).toEqual(some.map((model) => ({ model, code: CODE, lines: [] })));
  }
});

test.each(ARCHES)("%s says in one line what a processor lacks", async (arch) => {
  const image = await scriptImage(arch, `boot() { machine.exit(${CODE}) }`);
  for (const [model, i386, x86_64] of LACKING) {
    const missing = arch === "i386" ? i386 : x86_64;
    const line = `ballonet: error: the processor lacks ${missing}; do give the machine a newer one`;
    const expected = missing
      ? { model, code: STOP.processor, lines: [line] }
      : { model, code: CODE, lines: [] };
    expect(await run(arch, image, model)).toEqual(expected);
  }
});
