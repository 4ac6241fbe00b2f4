/**
 * `ballonet judge --serve`: the device for anybody's vfio-user client. The guest is this project's
 * own image, in a QEMU that the test starts by itself.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it, onTestFinished, type TestContext } from "vitest";
import { type ServeDeviceOptions, serveDevice } from "../../../src/judge/index.ts";
import { COMMAND, fields } from "../../../src/judge/vfio-user/messages.ts";
import { processTree } from "../../support/process-tree.ts";
import { qemu11OrSkip } from "../../support/tools.ts";
import { request } from "../../support/vfio-client.ts";
import { BUILD_MS, buildImages, ROOT, SOON, start } from "../support/cli-program.ts";

const BOOT = { timeout: 60_000, interval: 50 };
/** Two of these at most, and a scenario. */
const TEST = { timeout: 180_000 };
const MEMORY = "128M";
/** It listens. */
const SERVING = /^serve {4}\/.*, memory \/.*MiB\)$/gm;

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "ballonet-serve-"));
  onTestFinished(() => rm(made, { recursive: true }));
  return made;
}

/** A QEMU whose balloon is behind the socket, and that boots our own guest. */
function guest(context: TestContext, socket: string, append = ""): ChildProcess {
  const memory = `memory-backend-file,id=ram0,size=${MEMORY},share=on,mem-path=${socket}.memory`;
  const device = {
    driver: "vfio-user-pci",
    socket: { type: "unix", path: socket },
    "x-no-posted-writes": true,
  };
  const child = spawn(
    qemu11OrSkip(context),
    [
      ...["-nodefaults", "-no-user-config", "-display", "none", "-m", MEMORY, "-object", memory],
      ...["-machine", "q35,memory-backend=ram0", "-device", JSON.stringify(device)],
      ...["-kernel", join(ROOT, "build/images/ballonet-x86_64.elf"), "-append", append],
    ],
    { stdio: "ignore" },
  );
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  return child;
}

async function connected(path: string): Promise<Socket> {
  const client = connect(path);
  client.on("error", () => {});
  onTestFinished(() => {
    client.destroy();
  });
  await new Promise((resolve) => client.once("connect", resolve));
  return client;
}

const mode = async (path: string) => (await stat(path)).mode & 0o777;

describe("as a command", () => {
  beforeAll(() => buildImages(["x86_64"]), BUILD_MS);

  it("serves the next client after a bad one, and reports at Ctrl-C", TEST, async (context) => {
    const own = join(await folder(), "new");
    const socket = join(own, "balloon");
    const { env, survivors } = processTree();
    const { child, ended, complained } = start(
      ["judge", "--serve", socket, "--memory", MEMORY, "--json"],
      env,
    );
    await expect.poll(complained, BOOT).toMatch(SERVING);
    expect([await mode(own), await mode(socket), await mode(`${socket}.memory`)]).toEqual([
      ...[0o700, 0o600, 0o600],
    ]);
    (await connected(socket)).write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await expect
      .poll(complained, SOON)
      .toMatch(/^client {3}cut off: .*; waiting for another one$/m);
    await expect.poll(() => complained().match(SERVING), SOON).toHaveLength(2);
    guest(context, socket);
    await expect.poll(complained, BOOT).toMatch(/^driver {3}up$/m);
    await expect.poll(complained, BOOT).toMatch(/^serve {4}targets is done; serving on until/m);
    expect(complained()).toMatch(/^driver {3}target 8192 pages, 8192 held$/m);
    child.kill("SIGINT");
    const { code, stdout } = await ended;
    const { driver, platform, settings, passed, results } = JSON.parse(stdout);
    expect({ code, driver, platform, settings, passed }).toEqual({
      ...{ code: 0, driver: "a guest's driver", platform: "vfio-user", passed: true },
      settings: { memory: "128.0 MiB" },
    });
    expect(results).toMatchObject([
      { scenario: "targets", outcome: "up", note: null, findings: [], passed: true },
    ]);
    expect(await readdir(own)).toEqual([]);
    await expect.poll(survivors, SOON).toEqual([]);
  });

  it("ends with 1 when the client leaves, and its driver broke a MUST", TEST, async (context) => {
    const socket = join(await folder(), "balloon");
    const args = ["judge", "--serve", socket, "--memory", MEMORY, "--scenario", "start"];
    const { ended, complained } = start(args);
    await expect.poll(complained, BOOT).toMatch(SERVING);
    const qemu = guest(context, socket, "ballonet.persona=linux");
    await expect.poll(complained, BOOT).toMatch(/^serve {4}start is done/m);
    qemu.kill();
    const { code, stdout } = await ended;
    expect(code).toBe(1);
    expect(stdout).toMatch(/^ {2}start {2}up: G-NOTIFY-EARLY, Q-ACTUAL-INIT$/m);
  });

  it("ends as every command when it is interrupted before a client has come", TEST, async () => {
    const socket = join(await folder(), "balloon");
    const { child, ended, complained } = start(["judge", "--serve", socket]);
    await expect.poll(complained, BOOT).toMatch(SERVING);
    child.kill("SIGTERM");
    expect(await ended).toMatchObject({ code: 143, stdout: "" });
    expect(existsSync(`${socket}.memory`) || existsSync(socket)).toBe(false);
  });
});

describe("serveDevice", () => {
  const strict = { profile: "strict", transport: "modern" } as const;

  async function serving(options: Partial<ServeDeviceOptions> = {}) {
    const socket = join(await folder(), "balloon");
    const steps: string[] = [];
    const over = new AbortController();
    const report = serveDevice({
      ...{ socket, device: strict, memoryBytes: 64 << 20, scenario: "start", signal: over.signal },
      onStep: (about, text) => steps.push(`${about}: ${text}`),
      ...options,
    });
    // A test that ends early must not leave a rejection behind.
    report.catch(() => {});
    const waiting = () => steps.filter((step) => step.startsWith("serve: /")).length;
    await expect.poll(waiting, SOON).toBe(1);
    return { socket, steps, waiting, over, report };
  }

  it("passes over clients that send anything, and serves the one that comes after", async () => {
    const { socket, steps, waiting, over, report } = await serving({ timeoutMs: 50 });
    const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), {
      minLength: 1,
      maxLength: 5,
    });
    let clients = 1;
    const property = fc.asyncProperty(pieces, async (sent) => {
      const client = await connected(socket);
      for (const bytes of sent) client.write(bytes);
      client.end();
      clients += 1;
      await expect.poll(waiting, SOON).toBe(clients);
    });
    await fc.assert(property, { numRuns: 12 });
    const client = await connected(socket);
    client.write(request(COMMAND.regionRead, fields(0n, 7, 4)));
    await expect.poll(() => steps.join("\n"), SOON).toContain("client: has come");
    over.abort();
    const { results, passed } = await report;
    expect(results).toMatchObject([{ outcome: "never came", passed: false }]);
    expect(String(results[0]?.note)).toMatch(/^interrupted; no driver wrote to device_status/);
    expect(passed).toBe(false);
  });

  it("cuts a silent client off", async () => {
    const { socket, steps, waiting, over, report } = await serving({ silentMs: 50 });
    await connected(socket);
    await expect.poll(waiting, SOON).toBe(2);
    expect(steps.join("\n")).toContain("cut off: no access to the device in 0.05 s");
    over.abort(new Error("enough"));
    await expect(report).rejects.toThrow("enough");
  });

  it("says when a client does not wait for its writes", async () => {
    const { socket, steps, over, report } = await serving({ timeoutMs: 50 });
    const client = await connected(socket);
    const write = request(COMMAND.regionWrite, Buffer.concat([fields(4n, 7, 2), Buffer.alloc(2)]));
    write.writeUInt32LE(0x10, 8);
    client.write(write);
    client.write(write);
    const told = () => steps.filter((step) => step.includes("x-no-posted-writes=on")).length;
    await expect.poll(told, SOON).toBe(1);
    client.end();
    await expect.poll(() => steps.join("\n"), SOON).toContain("client: has come");
    expect((await report).results[0]?.note).toMatch(/^the client has gone; no driver wrote/);
    over.abort();
  });

  it("refuses what cannot be served", async () => {
    const own = await folder();
    const socket = join(own, "balloon");
    const serve = (options: Partial<ServeDeviceOptions>) =>
      serveDevice({ socket, device: strict, memoryBytes: 64 << 20, ...options });
    await expect(serve({ scenario: "targest" })).rejects.toMatchObject({ kind: "usage" });
    await expect(serve({ memoryBytes: 4096 })).rejects.toMatchObject({ kind: "usage" });
    const mmio = { ...strict, transport: "mmio" } as const;
    await expect(serve({ device: mmio })).rejects.toMatchObject({ kind: "usage" });
    await writeFile(`${socket}.memory`, "somebody else's");
    await expect(serve({})).rejects.toMatchObject({
      kind: "missing",
      seen: expect.stringContaining("EEXIST"),
    });
    expect((await stat(`${socket}.memory`)).size).toBe(15);
    await rm(`${socket}.memory`);
    await mkdir(socket);
    await expect(serve({})).rejects.toMatchObject({
      kind: "missing",
      seen: expect.stringContaining("in use"),
    });
    expect(await readdir(own)).toEqual(["balloon"]);
  });
});
