/** `ballonet judge --kernel` as a process: what cannot be started is said, and nothing stays behind. */
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished, type TestContext } from "vitest";
import { processTree } from "../../support/process-tree.ts";
import { kernelOrSkip, qemu11OrSkip } from "../../support/tools.ts";
import { ROOT, run, SOON, start } from "../support/cli-program.ts";

/** By then the guest runs, and its agent is not ready yet or the first scenario has begun. */
const AMID_BOOT_MS = 2000;

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
