/** `ballonet judge --kernel` as a process: what cannot be started is said, and nothing stays behind. */
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished, type TestContext } from "vitest";
import { buildImage } from "../../../src/image/build-image.ts";
import { processTree } from "../../support/process-tree.ts";
import { grubOrSkip, kernelOrSkip, qemu11OrSkip } from "../../support/tools.ts";
import { BUILD_MS, ROOT, run, SOON, start } from "../support/cli-program.ts";
import { grubDisk } from "../support/grub-disk.ts";
import { tinyGuest } from "../support/tiny-guest.ts";

/** By then the guest runs, and its agent is not ready yet or the first scenario has begun. */
const AMID_BOOT_MS = 2000;

/** Where a kernel for arm64 has its magic number; where headers of a small ELF file end. */
const ARM64_MAGIC_AT = 0x38;
const ELF_HEADERS_BYTES = 84;

const modulesOf = (kernel: string) => join(dirname(kernel), "modules");

function linux7(context: TestContext): string[] {
  const kernel = kernelOrSkip(context, "linux-7-x86_64");
  return ["judge", "--kernel", kernel, "--qemu", qemu11OrSkip(context), "--memory", "128M"];
}

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "ballonet-kernel-"));
  onTestFinished(() => rm(made, { recursive: true }));
  return made;
}

/** Runs the command, which must end with 3 and three lines, one of which says this. */
async function cannotStart(args: readonly string[], seen: RegExp): Promise<void> {
  const { env, survivors } = processTree();
  const { code, stdout, stderr } = await run(args, env);
  expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
  expect(stderr).toMatch(/^failed {3}\S.*\n +seen: .*\n +do: {3}.*\n$/);
  expect(stderr).toMatch(seen);
  await expect.poll(survivors, SOON).toEqual([]);
}

it("needs a kernel", () => cannotStart(["judge", "--kernel", join(ROOT, "none")], /seen: ENOENT/));

it("needs a kernel for a PC", () =>
  cannotStart(["judge", "--kernel", join(ROOT, "package.json")], /that is no bzImage/));

it("needs a kernel for this processor", async () => {
  const kernel = join(await folder(), "Image");
  const bytes = Buffer.alloc(4096);
  bytes.write("ARMd", ARM64_MAGIC_AT);
  await writeFile(kernel, bytes);
  await cannotStart(["judge", "--kernel", kernel], /a kernel for arm64\n.*x86_64 or i386/);
});

it("needs a kernel that v86 can run", async (context) => {
  const kernel = kernelOrSkip(context, "linux-7-x86_64");
  await cannotStart(["judge", "--kernel", kernel, "--on", "v86"], /no 64-bit mode\n.*on qemu/);
});

it("needs an image that boots", async (context) => {
  const image = join(await folder(), "tiny.elf");
  const bytes = tinyGuest();
  bytes.fill(0, ELF_HEADERS_BYTES, ELF_HEADERS_BYTES + 4);
  await writeFile(image, bytes);
  const args = ["judge", "--kernel", image, "--qemu", qemu11OrSkip(context)];
  await cannotStart(args, /seen: Error loading uncompressed kernel without PVH ELF Note\n/);
});

/** Runs the command, whose report has to say how the guest ended; nothing is left running. */
async function ends(args: readonly string[], outcome: string, note: RegExp): Promise<void> {
  const { env, survivors } = processTree();
  const { code, stdout } = await run([...args, "--scenario", "start", "--json"], env);
  expect(code).toBe(1);
  const [result] = JSON.parse(stdout).results;
  expect(result).toMatchObject({ outcome, note: expect.stringMatching(note) });
  await expect.poll(survivors, SOON).toEqual([]);
}

describe.each(["qemu", "v86"])("tells on %s", (on) => {
  it("of a guest that ends by itself", { timeout: BUILD_MS }, async (context) => {
    const image = (await buildImage({ arch: "i386" })).path;
    const words = ["--append", "ballonet.policy=nonsense", "--qemu", qemu11OrSkip(context)];
    await ends(["judge", "--kernel", image, "--on", on, ...words], "crashed", /nonsense/);
  });

  it("of a guest that loops", async (context) => {
    const image = join(await folder(), "tiny.elf");
    await writeFile(image, tinyGuest());
    const words = ["--timeout", "2s", "--qemu", qemu11OrSkip(context)];
    await ends(["judge", "--kernel", image, "--on", on, ...words], "hung", /come to rest .*2 s/);
  });
});

it("judges a system on a disk, which stays as it was", { timeout: BUILD_MS }, async (context) => {
  const grub = await readFile(join(grubOrSkip(context), "pc.img"));
  const image = await readFile((await buildImage({ arch: "i386" })).path);
  const script = Buffer.from("multiboot2 /ballonet.elf\nboot\n");
  const files = [
    { name: "GRUB    CFG", bytes: script },
    { name: "BALLONETELF", bytes: image },
  ];
  const disk = join(await folder(), "system,1.img");
  const before = grubDisk(grub, files);
  await writeFile(disk, before);
  const { env, survivors } = processTree();
  const qemu = ["--qemu", qemu11OrSkip(context), "--memory", "64M"];
  const args = ["judge", "--disk", disk, ...qemu, "--scenario", "targets,pressure", "--json"];
  const { code, stdout } = await run(args, env);
  const { driver, results } = JSON.parse(stdout);
  expect({ code, driver }).toEqual({ code: 0, driver: "system,1.img" });
  expect(results).toMatchObject([
    { outcome: "up", findings: [] },
    { outcome: null, note: "the system cannot be asked to use memory" },
  ]);
  expect(Buffer.compare(await readFile(disk), before)).toBe(0);
  await expect.poll(survivors, SOON).toEqual([]);
});

it("needs a disk that can be read, and QEMU for it", async () => {
  await cannotStart(["judge", "--disk", join(ROOT, "none")], /ENOENT/);
  const { code, stderr } = await run(["judge", "--disk", "a", "--append", "b"]);
  expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringMatching(/--append/) });
});

it("needs a QEMU that is new enough", async (context) => {
  const kernel = kernelOrSkip(context, "linux-7-x86_64");
  const old = join(await folder(), "qemu");
  await writeFile(old, "#!/bin/sh\necho QEMU emulator version 9.2.1\n");
  await chmod(old, 0o755);
  await cannotStart(["judge", "--kernel", kernel, "--qemu", old], /which is 9\.2\n.*npm run setup/);
});

it("needs the balloon's module", async (context) => {
  const args = [...linux7(context), "--modules", await folder()];
  await cannotStart(args, /no virtio_balloon among 0/);
});

it("needs modules of this kernel", async (context) => {
  const other = modulesOf(kernelOrSkip(context, "linux-6.1-x86_64"));
  const args = [...linux7(context), "--modules", other];
  await cannotStart(args, /agent: module \w+: Linux's error -8/);
});

it("needs a kernel that comes up", async (context) => {
  const args = [...linux7(context), "--append", "rdinit=/none"];
  await cannotStart(args, /seen: .*Kernel panic - not syncing/);
});

it("leaves nothing behind when it is interrupted", async (context) => {
  const own = await folder();
  const before = await readdir("/dev/shm");
  const { env, survivors } = processTree();
  const args = [...linux7(context), "--scenario", "targets"];
  const { child, ended } = start(args, { ...env, TMPDIR: own });
  const programs = [/^\d+ \S*-relay /, /^\d+ \S*(ld-linux\S*|qemu-system-x86_64) /];
  const running = async () => {
    const lines = await survivors();
    return programs.filter((program) => lines.some((line) => program.test(line))).length;
  };
  await expect.poll(running, { timeout: 60_000, interval: 50 }).toBe(2);
  await sleep(AMID_BOOT_MS);
  child.kill("SIGINT");
  const { code, stdout, stderr } = await ended;
  expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
  expect(stderr).toContain("nothing is left running");
  await expect.poll(survivors, SOON).toEqual([]);
  expect(await readdir(own)).toEqual([]);
  expect(await readdir("/dev/shm")).toEqual(before);
});
