/**
 * The program itself, as it is run from a shell: sessions on v86, exit codes, what is missing, and
 * what an interruption leaves behind.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { DEFLATE_MODES, PERSONA_NAMES, POLICY_NAMES } from "../../../runtime/index.ts";
import {
  BUILD_MS,
  buildImages,
  checkGood,
  INTERRUPTIONS,
  interrupted,
  ofType,
  PROGRAM,
  ROOT,
  run,
  session,
} from "../support/cli-program.ts";

beforeAll(() => buildImages(), BUILD_MS);

describe("a session", () => {
  test("of the default kind: v86, half of 64 MiB and back", async () => {
    const { code, events, stderr } = await session();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(ofType(events, "booting")).toMatchObject([{ on: "v86", memoryBytes: 64 * 2 ** 20 }]);
    expect(ofType(events, "ready")[0]?.transport).toContain("00:0b.0");
    checkGood({ events, targets: [8192, 0], memoryPages: 16384 });
  });

  test("in words: plain lines when there is no terminal", async () => {
    const { code, stdout } = await run(["boot", "--target", "25%"]);
    expect(code).toBe(0);
    for (const control of ["\r", "\u001b"]) expect(stdout).not.toContain(control);
    expect(stdout).toMatch(
      /^target {3}1\/1: a balloon of 16.0 MiB \(4,096 pages, 25% of memory\)$/m,
    );
    expect(stdout).toMatch(/^good {5}1 target reached, [\d.]+ MiB verified, 0 mismatches$/m);
  });
});

describe("a session on v86 ends well with", () => {
  test.each([
    ...PERSONA_NAMES.map((name) => ["--persona", name]),
    ...POLICY_NAMES.map((name) => ["--policy", name]),
    ...DEFLATE_MODES.map((name) => ["--deflate", name]),
    ["--host", "untrusted"],
  ])("%s %s, or is refused at once", async (option = "", value = "") => {
    const { code, events } = await session(option, value);
    const isRefused = value === "silent" || value === "report-only";
    expect(code).toBe(isRefused ? 2 : 0);
    if (isRefused) expect(events).toMatchObject([{ type: "failed", kind: "usage" }]);
    else expect(events.at(-1)).toMatchObject({ type: "summary", targets: 2, mismatches: 0 });
  });
});

describe("a session that cannot go well", () => {
  test.each([
    [["--no-balloon"], 1, "the guest found no balloon", [10]],
    [["--append", "ballonet.persona=foo"], 2, "the guest refused its command line", [12]],
    [["--memory", "6M"], 1, "too little memory", [11, 0x46]],
  ])("with %j says why, and ends with %d", async (args, expected, words, exitCodes) => {
    const { code, events } = await session(...args);
    expect(code).toBe(expected);
    const last = events.at(-1);
    expect(last).toMatchObject({ type: "failed" });
    if (last?.type !== "failed") return;
    expect(last.what).toContain(words);
    // Whether the loader or the guest notices first depends on where the image ends.
    expect(exitCodes).toContain(last.guestExitCode);
  });

  test("gives up a target that is out of the guest's reach", async () => {
    const { code, events } = await session("--target", "99%", "--workload", "0");
    expect(code).toBe(1);
    expect(events.at(-1)).toMatchObject({ type: "failed", kind: "unreached", guestExitCode: null });
  });

  test("refuses what is no image", async () => {
    const folder = await mkdtemp(join(tmpdir(), "cli-test-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const image = join(folder, "text.elf");
    await writeFile(image, "no image");
    const { code, events } = await session("--image", image);
    expect(code).toBe(2);
    expect(events.at(-1)).toMatchObject({ type: "failed", kind: "usage" });
    expect((await session("--image", join(folder, "none.elf"))).code).toBe(2);
  });

  test("says what is missing where there is no C compiler", async () => {
    const { code, stderr } = await run(["boot"], { PATH: "/nowhere", CC: "" });
    expect(code).toBe(3);
    expect(stderr).toContain("C compiler");
    expect(stderr).toContain("apt-get install gcc");
  });

  test("says what is missing where there is no QEMU", async () => {
    const image = join(ROOT, "build/images/ballonet-x86_64.elf");
    const { code, stderr } = await run(["boot", "--on", "qemu", "--image", image], {
      PATH: "/nowhere",
    });
    expect(code).toBe(3);
    expect(stderr).toContain("qemu-system-x86_64");
    expect(stderr).toContain("apt-get install qemu-system-x86");
  });
});

describe("doctor", () => {
  test("finds what the tests themselves need", async () => {
    const { code, stdout } = await run(["doctor", "--json"]);
    expect(code).toBe(0);
    const { type, ready, findings } = JSON.parse(stdout);
    expect(type).toBe("diagnosis");
    expect(ready).toBe(true);
    const seen = new Map<string, string>();
    for (const { name, state, seen: text } of findings) if (state === "here") seen.set(name, text);
    expect(seen.get("node")).toBe(process.version);
    expect(seen.get("core.wasm")).toContain("build/core.wasm");
    expect(seen.get("image i386")).toContain("ballonet-i386.elf");
    expect(seen.get("package v86")).toMatch(/^\d+\.\d+\.\d+/);
  });

  test("says what is missing and how to get it, and ends with 3", async () => {
    const { code, stdout } = await run(["doctor"], { PATH: "/nowhere", CC: "" });
    expect(code).toBe(3);
    expect(stdout).toMatch(/^missing +C compiler for i386 .*\n.*apt-get install gcc/m);
    expect(stdout).toMatch(/^optional +qemu-system-x86_64 .*\n.*apt-get install qemu-system-x86/m);
    expect(stdout).toMatch(/^not ready/m);
  });
});

describe("compare deflate", () => {
  const pair = ["compare", "deflate", "--persona", "windows", "--host", "locked-always"];

  test("prints a table and what was found; losses are no failure", async () => {
    const { code, stdout, stderr } = await run(pair);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^! windows .* yes +stayed +3,072 +1,024 +1,024 +1,024$/m);
    expect(stdout).toContain("locked-always with windows: 1,024 faults, 1,024 frames lost");
  });

  test("is one JSON object, and a page besides", async () => {
    const folder = await mkdtemp(join(tmpdir(), "cli-test-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, "page.html");
    const { code, stdout } = await run([...pair, "--json", "--html", file]);
    expect(code).toBe(0);
    const { cells } = JSON.parse(stdout);
    expect(cells).toMatchObject([{ name: "windows/locked-always", damagedFrames: 1024 }]);
    expect(await readFile(file, "utf8")).toContain('<article id="windows/locked-always">');
  });
});

describe("explain", () => {
  test("says why, and runs what it speaks of", async () => {
    const { code, stdout, stderr } = await run(["explain", "windows/locked-always"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.replace(/\s+/g, " ")).toContain("though nobody promised");
    expect(stdout).toContain("virtio 1.3, 5.5.6.1");
  });

  test("knows no other name than those that it lists", async () => {
    const { code, stdout, stderr } = await run(["explain", "windos"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("did you mean windows?");
  });
});

describe("what cannot be read or written is told in words, not as a stack, by", () => {
  test.each([
    ["boot", "--image", ROOT],
    ["image", "--out", join(ROOT, "package.json/guest.elf")],
    ["compare", "deflate", "--host=locked", "--html", join(ROOT, "package.json/page.html")],
  ])("%s %s %s", async (...args) => {
    const { code, stdout, stderr } = await run(args);
    expect([2, 3]).toContain(code);
    expect(stderr).toMatch(/^failed {3}\S.*\n +seen: .*\n +do: {3}.*\n$/);
    expect(stderr + stdout).not.toMatch(/^ +at /m);
  });

  test.each([
    ["boot", "--target", "0"],
    ["image"],
    ["compare", "deflate", "--host=locked"],
    ["explain"],
    ["doctor"],
  ])("%s, with its output on a full disk", async (...args) => {
    const command = [process.execPath, PROGRAM, ...args].join(" ");
    const cwd = await mkdtemp(join(tmpdir(), "cli-test-"));
    onTestFinished(() => rm(cwd, { recursive: true }));
    const child = spawn("/bin/sh", ["-c", `exec ${command} >/dev/full`], { cwd });
    let stderr = "";
    child.stderr.on("data", (bytes: Buffer) => {
      stderr += bytes.toString();
    });
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(3);
    expect(stderr).toMatch(/^failed {3}output: .*ENOSPC.*\n$/);
  });
});

describe("an interruption", () => {
  test.each(INTERRUPTIONS)("by %s ends with %d, and leaves nothing", (signal, exitCode) =>
    interrupted({
      args: [],
      signal,
      exitCode,
    }),
  );
});

test("a usage error ends with 2 and the nearest name", async () => {
  const { code, stdout, stderr } = await run(["boot", "--memroy", "64M"]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("did you mean --memory?");
});
