/**
 * The image under libvirt, by the recipe that `ballonet image --format libvirt` prints: a session of
 * its own, which ends with the test. libvirt refuses a session to root, who becomes nobody there.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, chown, copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { expect, it, type TestContext } from "vitest";
import { recipe } from "../../../src/session/recipes.ts";
import { guestImage, useGuests } from "../../support/guests.ts";
import { findOnPath } from "../../support/process-tree.ts";

useGuests();

const NOBODY = 65_534;
const SOON = { timeout: 60_000, interval: 200 };
const DOMAIN = "ballonet";
/** What the recipe's domain has, in KiB as libvirt counts. */
const MEMORY_KIB = 256 * 1024;
const TARGET_KIB = 96 * 1024;

interface Session {
  readonly folder: string;
  /** Returns what virsh prints. */
  virsh(...words: string[]): Promise<string>;
}

/** Starts libvirt's daemon for this test alone; skips the test where there is none. */
async function session(context: TestContext): Promise<Session> {
  // Ordinary users have no /usr/sbin in their PATH.
  const daemon = findOnPath("libvirtd") ?? "/usr/sbin/libvirtd";
  const others = ["virsh", "qemu-system-x86_64"].map(findOnPath);
  if (!existsSync(daemon) || others.includes(undefined)) {
    console.log("skipped: no libvirt on this machine");
    return context.skip("no libvirt on this machine");
  }
  const folder = await mkdtemp(join(tmpdir(), "lv-"));
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  for (const name of ["run", "home"]) await mkdir(join(folder, name), { mode: 0o700 });
  for (const path of [folder, join(folder, "run"), join(folder, "home")]) {
    if (user.uid !== undefined) await chown(path, user.uid, user.gid);
  }
  const env = {
    PATH: [process.env.PATH, "/usr/sbin"].join(delimiter),
    HOME: join(folder, "home"),
    XDG_RUNTIME_DIR: join(folder, "run"),
    LIBVIRT_DEFAULT_URI: "qemu:///session",
  };
  const child = spawn(daemon, [], { ...user, env, cwd: folder, stdio: "ignore" });
  const virsh = async (...words: string[]) => {
    const { stdout } = await promisify(execFile)("virsh", words, { ...user, env, cwd: folder });
    return stdout;
  };
  context.onTestFinished(async () => {
    await virsh("destroy", DOMAIN).catch(() => {});
    await end(child);
    await rm(folder, { recursive: true, force: true });
  });
  await expect.poll(() => virsh("version").catch(() => ""), SOON).toContain("QEMU");
  return { folder, virsh };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill();
  await ended;
}

it("starts, moves its balloon, sends statistics and ends by the power button", async (context) => {
  const image = guestImage(context, "x86_64").path;
  const { folder, virsh } = await session(context);
  const copy = join(folder, "guest.elf");
  await copyFile(image, copy);
  await chmod(copy, 0o644);
  const xml = join(folder, "domain.xml");
  await writeFile(xml, recipe("libvirt", { arch: "x86_64", image: copy }));
  const numbers = async () => {
    const lines = (await virsh("dommemstat", DOMAIN)).trim().split("\n");
    return Object.fromEntries(lines.map((line) => line.split(" ")).map(([k, v]) => [k, Number(v)]));
  };

  await virsh("create", xml);
  await expect.poll(async () => (await numbers()).unused ?? 0, SOON).toBeGreaterThan(TARGET_KIB);
  for (const kib of [TARGET_KIB, MEMORY_KIB]) {
    await virsh("setmem", DOMAIN, String(kib));
    await expect.poll(async () => (await numbers()).actual, SOON).toBe(kib);
    // What the guest says of itself is below what it keeps, and soon not far below.
    const fits = async () => {
      const { available = 0 } = await numbers();
      return available < kib && available > kib - 16 * 1024;
    };
    await expect.poll(fits, SOON).toBe(true);
  }
  await virsh("shutdown", DOMAIN);
  await expect.poll(() => virsh("list", "--name"), SOON).not.toContain(DOMAIN);
});
