/**
 * The program itself on QEMU: sessions, the command line that it prints for booting by hand, and
 * what an interruption leaves behind.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { findOnPath, processTree } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import {
  BUILD_MS,
  buildImages,
  checkGood,
  INTERRUPTIONS,
  interrupted,
  ofType,
  run,
  SOON,
  session,
  start,
} from "../support/cli-program.ts";

beforeAll(() => buildImages(), BUILD_MS);
beforeEach((context) => {
  for (const program of ["qemu-system-i386", "qemu-system-x86_64"]) {
    toolOrSkip(context, findOnPath(program), program);
  }
});

describe("a session", () => {
  test.each([
    ["x86_64", "pc"],
    ["x86_64", "q35"],
    ["i386", "pc"],
    ["x86_64", "microvm"],
    ["i386", "microvm"],
  ])("on QEMU, %s %s, with a script of targets", async (arch, machine) => {
    const machineOptions = ["--on", "qemu", "--arch", arch, "--machine", machine];
    const targets = ["--target", "75%", "--target", "1000p", "--target", "64M", "--target", "0"];
    const { code, events, stderr } = await session(...machineOptions, ...targets);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    checkGood({ events, targets: [49152, 1000, 16384, 0], memoryPages: 65536 });
  });

  test("as another driver would behave", async () => {
    const { code, events } = await session("--on", "qemu", "--persona", "windows");
    expect(code).toBe(0);
    expect(ofType(events, "ready")).toMatchObject([
      { persona: "windows", deflateMode: "use-first", negotiated: ["STATS_VQ", "VERSION_1"] },
    ]);
  });

  test("with options of the device, of the program that the environment names", async () => {
    const program = findOnPath("qemu-system-x86_64") ?? "";
    const device = "event_idx=off,packed=on,free-page-hint=on";
    const args = ["boot", "--json", "--on", "qemu", "--device", device];
    const { code, stdout } = await run(args, { BALLONET_QEMU: program });
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split("\n");
    const ready = lines.map((line) => JSON.parse(line)).find(({ type }) => type === "ready");
    expect(ready.offered).toEqual(expect.arrayContaining(["RING_PACKED", "FREE_PAGE_HINT"]));
    expect(ready.offered).not.toContain("EVENT_IDX");
  });

  test.each([
    [["--device", "frobnicate=on"], "Property 'virtio-balloon-pci.frobnicate' not found"],
    [["--machine", "microvm", "--device", "disable-legacy=on"], "disable-legacy' not found"],
    [["--device", "packed=maybe"], "packed"],
    [["--qemu", "/no/such/qemu"], "no executable /no/such/qemu there"],
    [["--qemu", "/tmp"], "no executable /tmp there"],
  ])("with %j ends with 2 and QEMU's words in a line", async (args, words) => {
    const { code, events } = await session("--on", "qemu", ...args);
    expect(code).toBe(2);
    const last = events.at(-1);
    expect(last).toMatchObject({ type: "failed", kind: "usage" });
    const seen = last?.type === "failed" ? last.seen : "";
    expect(seen).toContain(words);
    expect(seen).not.toMatch(/\n|\\n|"/);
  });

  test("that only reports shows how memory comes back, without a balloon", async () => {
    const { code, events } = await session("--on", "qemu", "--policy", "report-only");
    expect(code).toBe(0);
    const [ready] = ofType(events, "ready");
    expect(ready?.negotiated).toContain("PAGE_REPORTING");
    const [freed] = ofType(events, "freed");
    const [reported] = ofType(events, "reported");
    const { pages = 0, residentBytesBefore, residentBytes } = reported ?? {};
    // All that was freed but for the blocks of 2 MiB at its ends.
    expect(pages).toBeGreaterThan((freed?.pages ?? 0) - 3 * 512);
    if (residentBytesBefore != null && residentBytes != null) {
      expect(residentBytesBefore - residentBytes).toBeGreaterThan((pages * 4096) / 2);
    }
    const last = { type: "summary", targets: 0, reportedPages: pages, mismatches: 0 };
    expect(events.at(-1)).toMatchObject(last);
  });

  test("that only reports is refused to a driver that reports nothing", async () => {
    const { code, events } = await session(
      ...["--on", "qemu", "--policy", "report-only", "--persona", "windows"],
    );
    expect(code).toBe(2);
    expect(events.at(-1)).toMatchObject({
      type: "failed",
      seen: expect.stringContaining("windows"),
    });
  });

  test.each([
    [["--no-balloon"], 1, "the guest found no balloon", [10]],
    [["--memory", "5M"], 1, "too little memory", [11, 0x46]],
  ])("with %j says why, and ends with %d", async (args, expected, words, exitCodes) => {
    const { code, events } = await session("--on", "qemu", ...args);
    expect(code).toBe(expected);
    const last = events.at(-1);
    expect(last).toMatchObject({ type: "failed" });
    if (last?.type !== "failed") return;
    expect(last.what).toContain(words);
    // Whether the loader or the guest notices first depends on where the image ends.
    expect(exitCodes).toContain(last.guestExitCode);
  });
});

describe("image", () => {
  test.each(["i386", "x86_64"])("the command line printed for %s boots it", async (arch) => {
    const folder = await mkdtemp(join(tmpdir(), "cli test "));
    onTestFinished(() => rm(folder, { recursive: true }));
    const out = join(folder, "guest.elf");
    const { code, stdout } = await run(["image", "--quiet", "--arch", arch, "--out", out]);
    expect(code).toBe(0);
    expect((await stat(out)).size).toBeGreaterThan(500_000);
    // Through a shell, as it is printed; exec leaves one process to end.
    const child = spawn("/bin/sh", ["-c", `exec ${stdout}`], { stdio: ["pipe", "pipe", "pipe"] });
    const ended = new Promise((resolve) => child.on("close", resolve));
    let log = "";
    child.stdout.on("data", (bytes: Buffer) => {
      log += bytes.toString();
    });
    onTestFinished(async () => {
      child.kill("SIGKILL");
      await ended;
    });
    await expect.poll(() => log, SOON).toContain("ballonet: ready: STATS_VQ");
    child.stdin.write("\u0001cinfo balloon\nballoon 64\n");
    await expect.poll(() => log, SOON).toContain("balloon: actual=256");
    await expect
      .poll(() => {
        child.stdin.write("info balloon\n");
        return log;
      }, SOON)
      .toContain("balloon: actual=64");
  });
});

describe("an interruption", () => {
  test.each(INTERRUPTIONS)("by %s ends with %d, and leaves nothing", (signal, exitCode) =>
    interrupted({
      args: ["--on", "qemu"],
      signal,
      exitCode,
      isRunning: (processes) => processes.includes("qemu-system"),
    }),
  );

  test("by SIGKILL leaves no QEMU", async () => {
    const folder = await mkdtemp(join(tmpdir(), "cli-test-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { env, survivors } = processTree();
    const { child, printed } = start(["boot", "--json", "--on", "qemu", "--policy", "gentle"], {
      ...env,
      TMPDIR: folder,
    });
    await expect.poll(printed, { timeout: 60_000, interval: 20 }).toMatch(/"type":"progress"/);
    child.kill("SIGKILL");
    await expect.poll(survivors, SOON).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
  });

  test("by a reader that leaves ends the session quietly", async () => {
    const { env, survivors } = processTree();
    const { child, ended } = start(["boot", "--on", "qemu", "--json"], env);
    child.stdout?.once("data", () => child.stdout?.destroy());
    const { code, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 141, stderr: "" });
    await expect.poll(survivors, SOON).toEqual([]);
  });
});
