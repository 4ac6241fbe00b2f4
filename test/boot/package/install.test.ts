/**
 * From a clean clone to a guest: packed from nothing, installed by root, and booted by somebody
 * else, without a compiler, without a network, and without a file that may be written.
 */
import { execFile, execFileSync } from "node:child_process";
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findOnPath } from "../../support/process-tree.ts";
import { qemu11OrSkip, toolOrSkip } from "../../support/tools.ts";
import { BUILD_MS, type Ended, ROOT } from "../support/cli-program.ts";

const run = promisify(execFile);

/** The user `nobody`, whom root alone can become. */
const NOBODY = 65_534;
const IS_ROOT = process.getuid?.() === 0;
/**
 * Most time of the processor for a boot on v86: what it takes on an idle machine, also while this
 * one is busy with others.
 */
const V86_BOOT_MS = 10_000;
/** What all files may have in them. */
const DRIVER_BYTES_MAX = 2_350 * 2 ** 10;
/** What they may take of a disk, with the ends of their last blocks, and with the folders. */
const DRIVER_DISK_BYTES_MAX = 2_560 * 2 ** 10;
/** What a file takes whole of a disk, and what a folder takes of it. */
const BLOCK_BYTES = 4096;

let work = "";
let clone = "";
/** An empty project with this package alone. */
let driver = "";
/** A project with this package and v86, which nobody may write to. */
let project = "";
/** A folder that the other user may write to. */
let home = "";

/** Copies the files that a clone has: those that git knows, as they are now. */
async function cloneInto(folder: string): Promise<void> {
  const options = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  const { stdout } = await run("git", options, { cwd: ROOT, maxBuffer: 2 ** 24 });
  for (const name of new Set(stdout.split("\0"))) {
    const found = name === "" ? undefined : await lstat(join(ROOT, name)).catch(() => undefined);
    if (!found?.isFile()) continue;
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await copyFile(join(ROOT, name), join(folder, name));
  }
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
}

/** Packs the package in `folder`, with its scripts. Returns the archive's path. */
async function pack(folder: string): Promise<string> {
  const options = ["pack", "--json", "--pack-destination", work];
  const { stdout } = await run("npm", options, { cwd: folder, maxBuffer: 2 ** 24 });
  const [packed] = JSON.parse(stdout.slice(stdout.search(/^\[/m))) as { filename: string }[];
  return join(work, packed?.filename ?? "");
}

async function install(name: string, archives: readonly string[]): Promise<string> {
  const folder = join(work, name);
  await mkdir(folder);
  await writeFile(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  await run("npm", ["install", "--offline", ...archives], { cwd: folder });
  return folder;
}

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "ballonet-install-"));
  await chmod(work, 0o755);
  clone = join(work, "clone");
  await cloneInto(clone);
  const ballonet = await pack(clone);
  driver = await install("driver", [ballonet]);
  project = await install("project", [ballonet, await pack(join(ROOT, "node_modules/v86"))]);
  await mkdir(join(project, "bin"));
  // QEMU, and what the script that starts QEMU 11 calls.
  for (const name of ["qemu-system-i386", "qemu-system-x86_64", "dirname", "readlink"]) {
    const path = findOnPath(name);
    if (path !== undefined) await symlink(path, join(project, "bin", name));
  }
  execFileSync("chmod", ["-R", "a+rX,a-w", project]);
  home = join(work, "home");
  await mkdir(home);
  await chmod(home, 0o777);
}, 2 * BUILD_MS);

afterAll(async () => {
  execFileSync("chmod", ["-R", "u+w", work]);
  await rm(work, { recursive: true });
});

/**
 * Runs the installed program in the read-only project: as nobody and with no network, where that
 * takes root, and with only QEMU in its path.
 */
function ballonet(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
  const program = [process.execPath, join(project, "node_modules/.bin/ballonet"), ...args];
  const id = String(NOBODY);
  const other = ["setpriv", "--reuid", id, "--regid", id, "--clear-groups"];
  const [command = "", ...rest] = IS_ROOT ? ["unshare", "-n", ...other, ...program] : program;
  const tool = IS_ROOT ? (findOnPath(command) ?? command) : command;
  if (IS_ROOT) rest[1] = findOnPath("setpriv") ?? "setpriv";
  const options = { cwd: project, env: { PATH: join(project, "bin"), ...env } };
  return new Promise((done) => {
    execFile(tool, rest, options, (error, stdout, stderr) =>
      done({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

/** Node's option to run `script` before the program. */
function preloading(script: string): string {
  return `--import=data:text/javascript,${encodeURIComponent(script)}`;
}

const HOMELESS = { HOME: "/nonexistent" };

describe("the package", () => {
  it("is whole, and has nothing else", async () => {
    const folder = join(driver, "node_modules/ballonet");
    const names = (await readdir(folder, { recursive: true })).filter(
      (name) => !/part-|types-/.test(name),
    );
    const { exports, bin } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const paths = [Object.values(exports), Object.values(bin)]
      .flat()
      .flatMap((it) =>
        typeof it === "string" ? [it] : Object.values(it as Record<string, string>),
      );
    for (const path of paths) expect(names).toContain(path.replace(/^\.\//, ""));
    expect(names).toEqual(expect.arrayContaining(["lib/guest.br", "lib/LICENSES.txt", "LICENSE"]));
    expect(names.filter((name) => /^(dist|src|test|assembly|node_modules)\b/.test(name))).toEqual(
      [],
    );
  });

  it("brings nothing along, and takes no more room than is stated", async () => {
    const folder = join(driver, "node_modules");
    const installed = (await readdir(folder)).filter((name) => !name.startsWith("."));
    expect(installed).toEqual(["ballonet"]);
    const names = ["", ...(await readdir(folder, { recursive: true }))];
    const found = await Promise.all(names.map((name) => lstat(join(folder, name))));
    const sizes = found.filter((one) => one.isFile()).map(({ size }) => size);
    const contents = sizes.reduce((sum, size) => sum + size, 0);
    const blocks = sizes.reduce((sum, size) => sum + Math.ceil(size / BLOCK_BYTES), 0);
    const folders = found.filter((one) => one.isDirectory()).length;
    expect(contents).toBeLessThan(DRIVER_BYTES_MAX);
    expect((blocks + folders) * BLOCK_BYTES).toBeLessThan(DRIVER_DISK_BYTES_MAX);
  });

  it("leads from each place of the driver to a line of a source in the repository", async () => {
    const folder = join(driver, "node_modules/ballonet/lib");
    const maps = (await readdir(folder)).filter((name) => name.endsWith(".map"));
    const rooms = new Set<string>();
    for (const name of maps) {
      const { sources } = JSON.parse(await readFile(join(folder, name), "utf8"));
      for (const source of sources as string[]) {
        rooms.add(source.replace(/^\.\.\/((src\/)?\w+)\/.*/, "$1"));
        expect((await lstat(join(ROOT, "lib", source))).isFile()).toBe(true);
      }
    }
    expect([...rooms].sort()).toEqual(["runtime", "src/embed"]);
    const script =
      'import("ballonet").then(({ createBalloon }) => createBalloon()).catch(({ stack }) => console.log(stack))';
    const options = ["--enable-source-maps", "-e", script];
    const { stdout } = await run(process.execPath, options, { cwd: driver });
    expect(stdout).toMatch(/src\/embed\/[\w-]+\.ts:\d+/);
  });
});

describe("booted by somebody else, read-only, with no compiler and no network", () => {
  it("boots on v86 within ten seconds, without a place to write", async () => {
    const script = `process.on("exit",()=>process.stderr.write(JSON.stringify(process.cpuUsage())))`;
    const env = { ...HOMELESS, NODE_OPTIONS: preloading(script) };
    const { code, stdout, stderr } = await ballonet(["boot", "--quiet"], env);
    expect(code).toBe(0);
    expect(stdout).toMatch(/2 targets reached, .* verified, 0 mismatches/);
    const { user, system } = JSON.parse(stderr) as NodeJS.CpuUsage;
    expect((user + system) / 1_000).toBeLessThan(V86_BOOT_MS);
  });

  it.each(["win32", "darwin"])(
    "boots on v86 with no program and no temporary folder, on %s",
    async (platform) => {
      const claim = `Object.defineProperty(process,"platform",{value:"${platform}"})`;
      const nothing = { ...HOMELESS, PATH: "", TMPDIR: "/nonexistent" };
      const env = { ...nothing, NODE_OPTIONS: preloading(claim) };
      const { code, stdout, stderr } = await ballonet(["boot", "--quiet"], env);
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toContain("2 targets reached");
    },
  );

  it.for(["i386", "x86_64"])("boots on QEMU, %s", async (arch, context) => {
    toolOrSkip(context, findOnPath(`qemu-system-${arch}`), `qemu-system-${arch}`);
    const args = ["boot", "--quiet", "--on", "qemu", "--arch", arch];
    for (const env of [{ HOME: home }, { ...HOMELESS, XDG_CACHE_HOME: home }]) {
      expect(await ballonet(args, env)).toMatchObject({ code: 0, stderr: "" });
    }
    expect(await readdir(join(home, ".cache/ballonet/images"))).not.toEqual([]);
    expect(await readdir(join(home, "ballonet/images"))).not.toEqual([]);
  });

  it.each(["i386", "x86_64"])(
    "brings the image of the sources that were packed, %s",
    async (arch) => {
      const out = join(home, `${arch}.elf`);
      const args = ["image", "--quiet", "--arch", arch, "--out", out];
      const { code, stdout } = await ballonet(args, HOMELESS);
      expect([code, stdout]).toEqual([0, expect.stringContaining(`-kernel ${out} `)]);
      const built = await readFile(join(clone, `build/images/ballonet-${arch}.elf`));
      expect(Buffer.compare(await readFile(out), built)).toBe(0);
    },
  );

  it("judges a guest in QEMU", async (context) => {
    const qemu = qemu11OrSkip(context);
    const image = join(clone, "build/images/ballonet-x86_64.elf");
    const program = "node_modules/.bin/ballonet";
    const args = [program, "judge", "--kernel", image, "--qemu", qemu, "--scenario", "start"];
    // Of what somebody else can read, QEMU 11 may be no part.
    const env = { PATH: join(project, "bin"), XDG_CACHE_HOME: join(work, "cache") };
    const { stdout } = await run(process.execPath, [...args, "--json"], { cwd: driver, env });
    expect(JSON.parse(stdout)).toMatchObject({ passed: true, results: [{ outcome: "up" }] });
    const kept = await readdir(join(work, "cache/ballonet"));
    expect(kept).toEqual([expect.stringMatching(/-relay$/)]);
  });

  it.each([
    ["an image in a folder that is read-only", ["image"]],
    ["an image in a folder that is not there", ["image", "--out", "/nonexistent/guest.elf"]],
    ["a cache that cannot be made", ["boot", "--on", "qemu"]],
    ["a page in a folder that is read-only", ["compare", "deflate", "--html", "page.html"]],
  ])("cannot write %s: few words and exit code 3", async (_, args) => {
    const { code, stderr } = await ballonet(args, HOMELESS);
    expect(code).toBe(3);
    expect(stderr).toMatch(/(EACCES|EROFS|ENOENT)/);
    expect(stderr).not.toMatch(/\n +at /);
    expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(3);
  });

  it("names the packages that are missing, with the command that brings them", async () => {
    const script = `import("ballonet/image").then(({ buildImage }) => buildImage({ arch: "i386" }))`;
    await expect(run(process.execPath, ["-e", script], { cwd: driver })).rejects.toThrow(
      /the package esbuild: seen .*; do run `npm install esbuild@\S+ wabt@\S+ @jitl/,
    );
    const boot = await run(process.execPath, ["node_modules/.bin/ballonet", "boot"], {
      cwd: driver,
    }).catch((error: Ended) => error);
    expect(boot).toMatchObject({ code: 3 });
    expect(boot.stderr).toMatch(/package v86\n.*\n.*npm install v86@\d+\.\d+\.\d+/);
    const { code, stdout } = await ballonet(["doctor"], HOMELESS);
    expect(code).toBe(0);
    expect(stdout).toMatch(/package esbuild +not found\n.*npm install esbuild@\S+ wabt@\S+ @jitl/);
  });
});
