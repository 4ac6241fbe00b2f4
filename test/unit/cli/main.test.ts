/**
 * The whole command line with work that is made up: what is printed where, and the exit codes.
 */
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import type { CheckDeviceOptions, ProgramHostOptions } from "../../../src/check/index.ts";
import { COMMANDS, Interrupted, main } from "../../../src/cli/cli.ts";
import type { Command } from "../../../src/cli/command.ts";
import * as boot from "../../../src/cli/commands/boot.ts";
import * as check from "../../../src/cli/commands/check.ts";
import * as compare from "../../../src/cli/commands/compare.ts";
import * as doctor from "../../../src/cli/commands/doctor.ts";
import * as explain from "../../../src/cli/commands/explain.ts";
import * as image from "../../../src/cli/commands/image.ts";
import * as judge from "../../../src/cli/commands/judge.ts";
import * as list from "../../../src/cli/commands/list.ts";
import * as play from "../../../src/cli/commands/play.ts";
import * as report from "../../../src/cli/commands/report.ts";
import * as runCommand from "../../../src/cli/commands/run.ts";
import * as simulate from "../../../src/cli/commands/simulate.ts";
import type { FailureKind } from "../../../src/failure.ts";
import { type JudgeKernelOptions, reportLines } from "../../../src/judge/index.ts";
import type { CompareOptions } from "../../../src/lab/compare.ts";
import type { Explanation } from "../../../src/lab/explain.ts";
import { findingsOf } from "../../../src/lab/findings.ts";
import { comparisonPage } from "../../../src/lab/report/page.ts";
import type { SessionEvent } from "../../../src/session/events.ts";
import { shellLine } from "../../../src/session/qemu-command.ts";
import { RECIPE_NAMES, recipe } from "../../../src/session/recipes.ts";
import type { RunProgramOptions } from "../../../src/session/run-program.ts";
import { REPORT } from "../judge/report.ts";
import { comparisonOf, losing, madeUp } from "../lab/cells.ts";
import { type KeptIo, keptIo } from "./outputs.ts";

type Load<C extends { run: (...parts: never) => unknown }> = NonNullable<Parameters<C["run"]>[1]>;

/** The work of commands, made up. */
interface Work {
  readonly boot?: Load<typeof boot>;
  readonly run?: Load<typeof runCommand>;
  readonly play?: Load<typeof play>;
  readonly image?: Load<typeof image>;
  readonly judge?: Load<typeof judge>;
  readonly check?: Load<typeof check>;
  readonly report?: Load<typeof report>;
  readonly compare?: Load<typeof compare>;
  readonly simulate?: Load<typeof simulate>;
  readonly explain?: Load<typeof explain>;
  readonly doctor?: Load<typeof doctor>;
}

/** All commands; the work that a test does not make up must not be asked for. */
function commands(work: Work): readonly Command[] {
  const none = (): never => {
    throw new Error("this work was not expected");
  };
  return [
    { ...boot, run: (call) => boot.run(call, work.boot ?? none) },
    { ...runCommand, run: (call) => runCommand.run(call, work.run ?? none) },
    { ...play, run: (call) => play.run(call, work.play ?? none) },
    { ...image, run: (call) => image.run(call, work.image ?? none) },
    { ...judge, run: (call) => judge.run(call, work.judge ?? none) },
    { ...check, run: (call) => check.run(call, work.check ?? none) },
    { ...report, run: (call) => report.run(call, work.report ?? none) },
    { ...compare, run: (call) => compare.run(call, work.compare ?? none) },
    { ...simulate, run: (call) => simulate.run(call, work.simulate ?? none) },
    list,
    { ...explain, run: (call) => explain.run(call, work.explain ?? none) },
    { ...doctor, run: (call) => doctor.run(call, work.doctor ?? none) },
  ];
}

async function run(
  args: readonly string[],
  work: Work = {},
  io: KeptIo = keptIo(),
): Promise<{ code: number; out: string; err: string }> {
  const code = await main({ args, io, commands: commands(work) });
  return { code, out: io.out.text, err: io.err.text };
}

/** A text without its line breaks. */
function folded(text: string): string {
  return text.replace(/\s+/g, " ");
}

function failing(kind: FailureKind): SessionEvent {
  const words = { what: "the thing", seen: "this", todo: "do that" };
  return { type: "failed", kind, ...words, guestExitCode: null, logTail: ["a line"], atMs: 1 };
}

function session(...events: SessionEvent[]): Work {
  return {
    boot: async () => ({
      runSession: async function* () {
        yield* events;
      },
    }),
  };
}

describe("play", () => {
  /** A page that is made up, and what was done with it. */
  function made(options: { opens?: boolean; port?: Error } = {}) {
    const done: string[] = [];
    const load: Load<typeof play> = async () => ({
      pageFiles: async () => new Map(),
      openPage: async (url) => {
        done.push(`open ${url}`);
        return options.opens ?? true;
      },
      servePage: async (_files, port) => {
        if (options.port) throw options.port;
        done.push(`serve ${port}`);
        return { url: "http://127.0.0.1:7/", close: async () => void done.push("close") };
      },
    });
    return { done, load };
  }

  /** Runs until it has printed that it can be ended, and ends it. */
  async function ended(args: readonly string[], page: ReturnType<typeof made>) {
    const ending = new AbortController();
    const io = { ...keptIo(), signal: ending.signal };
    const running = run(["play", ...args], { play: page.load }, io);
    await expect.poll(() => io.out.text).toContain("Ctrl-C");
    ending.abort(new Interrupted({ signal: "SIGINT", exitCode: 130 }));
    return running;
  }

  it("serves the page, opens it, and ends with the signal's code", async () => {
    const page = made();
    expect(await ended([], page)).toMatchObject({
      code: 130,
      out: expect.stringContaining("page:"),
    });
    expect(page.done).toEqual(["serve 0", "open http://127.0.0.1:7/", "close"]);
  });

  it("opens nothing with --no-open, and says how where there is no browser", async () => {
    const page = made();
    const { out } = await ended(["--no-open", "--port", "8080"], page);
    expect(out).toContain("Open it in a browser.");
    expect(page.done).toEqual(["serve 8080", "close"]);
    expect((await ended([], made({ opens: false }))).out).toContain("Open it in a browser.");
  });

  it.each(["0", "65536", "http", "1.5", ""])("takes no port %j", async (port) => {
    expect((await run(["play", `--port=${port}`], { play: made().load })).code).toBe(2);
  });

  it("says that a port is taken", async () => {
    const page = made({ port: new Error("EADDRINUSE") });
    const { code, err } = await run(["play", "--port", "80"], { play: page.load });
    expect(code).toBe(3);
    expect(err).toMatch(/port 80[\s\S]*EADDRINUSE[\s\S]*--port/);
  });
});

describe("help and version", () => {
  it("lists every command", async () => {
    const { code, out, err } = await run(["--help"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(COMMANDS.map(({ spec }) => spec)).toEqual(commands({}).map(({ spec }) => spec));
    for (const { name, text } of COMMANDS.map(({ spec }) => spec)) {
      expect(out).toMatch(new RegExp(`^  ${name} +${text}$`, "m"));
    }
    expect(out).toMatch(/^ {2}3 +something is missing on this machine/m);
    for (const line of out.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  it.each(COMMANDS.map(({ spec }) => [spec.name, spec] as const))(
    "of %s names every option with its value, and examples",
    async (name, { options, examples, notes }) => {
      const { code, out } = await run([name, "--help"]);
      expect(code).toBe(0);
      for (const { name: option, value, text } of options) {
        expect(out).toContain(`--${option}${value === undefined ? "" : ` ${value}`}`);
        expect(folded(out)).toContain(folded(text));
      }
      expect(examples.length).toBeGreaterThan(0);
      for (const [line] of examples) expect(out).toContain(`  ${line}\n`);
      expect((await run(["help", name])).out).toBe(out);
      expect((await run([name, "-h"])).out).toBe(out);
      for (const note of notes) expect(folded(out)).toContain(folded(note));
      for (const line of out.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    },
  );

  it("says the version of package.json", async () => {
    const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
    const { out } = await run(["--version"]);
    expect(out).toBe(`ballonet ${JSON.parse(text).version}\n`);
  });

  it("is a usage error when there is no command, and goes to standard error", async () => {
    const { code, out, err } = await run([]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain("Usage: ballonet COMMAND");
  });
});

describe("exit codes", () => {
  it.each<[FailureKind, number]>([
    ["rule", 1],
    ["unreached", 1],
    ["guest", 1],
    ["emulator", 1],
    ["usage", 2],
    ["missing", 3],
  ])("a session that fails with %s ends with %d", async (kind, expected) => {
    const { code, out, err } = await run(["boot"], session(failing(kind)));
    expect({ code, out }).toEqual({ code: expected, out: "" });
    expect(err).toMatch(/^failed {3}the thing\n +seen: this\n +do: {3}do that\n +\| a line\n$/);
  });

  it("a session that ends well ends with 0", async () => {
    const freed: SessionEvent = { type: "freed", pages: 256, atMs: 5 };
    const { code, out, err } = await run(["boot"], session(freed));
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toBe("free     1.0 MiB given back by the workload\n");
  });

  it.each([
    [["bot"], "did you mean boot?"],
    [["--bogus"], "unknown option"],
    [["help", "docter"], "did you mean doctor?"],
    [["compare"], "no QUESTION"],
    [["compare", "defalte"], "did you mean deflate? choose one of deflate"],
    [["compare", "deflate", "inflate"], "give one of them"],
    [["compare", "deflate", "--host", "lockd"], "did you mean locked?"],
    [["explain", "linux", "windows"], '"windows" after "linux"'],
    [["boot", "--memory", "12"], "write a size with its unit"],
    [["boot", "--memory", "64"], "write a size with its unit"],
    [["boot", "--timeout", "1"], "write a time above 0 with its unit"],
    [["boot", "--target", "9%%"], "write half, 0, a share"],
    [["doctor", "--verbose"], "unknown option"],
  ])("%j is a usage error", async (args, words) => {
    const { code, out, err } = await run(args, session());
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(words);
  });

  it("a usage error is an object with --json", async () => {
    const { code, out, err } = await run(["boot", "--json", "--bogus"]);
    expect({ code, err }).toEqual({ code: 2, err: "" });
    expect(JSON.parse(out)).toMatchObject({
      type: "failed",
      kind: "usage",
      what: "unknown option",
      seen: "--bogus",
    });
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ])("%s ends with %d, wherever it strikes", async (signal, exitCode) => {
    const interrupted: Work = {
      boot: async () => ({
        // biome-ignore lint/correctness/useYield: this session is cut short before its first event.
        runSession: async function* () {
          throw new Interrupted({ signal, exitCode });
        },
      }),
    };
    const { code, err } = await run(["boot"], interrupted);
    expect(code).toBe(exitCode);
    expect(err).toContain(signal);
    const json = await run(["boot", "--json"], interrupted);
    expect(JSON.parse(json.out)).toEqual({ type: "interrupted", signal, exitCode });
  });

  it("a package that is not installed is missing, with how to get it", async () => {
    const absent: Work = {
      image: async () => {
        const error = new Error("Cannot find package 'esbuild'\n  at somewhere");
        throw Object.assign(error, { code: "ERR_MODULE_NOT_FOUND" });
      },
    };
    const { code, err } = await run(["image"], absent);
    expect(code).toBe(3);
    expect(err).toContain("Cannot find package 'esbuild'\n");
    expect(err).toContain("npm ci");
  });

  it.each([
    ["EACCES: permission denied, open '/x'", { code: "EACCES", syscall: "open", path: "/x" }],
    ["ENOSPC: no space left on device, write", { code: "ENOSPC", syscall: "write" }],
    ["no such user", { code: "ERR_SYSTEM_ERROR", syscall: "uv_os_homedir" }],
  ])("what the system refuses is missing, in few words: %s", async (message, parts) => {
    const image: Work["image"] = async () => ({
      provideImage: async () => {
        throw Object.assign(new Error(message), parts);
      },
    });
    const { code, err } = await run(["image"], { image });
    expect(code).toBe(3);
    expect(err).toContain(message);
    expect(err).not.toMatch(/\n +at /);
  });

  it("a bug is not dressed up as a failure", async () => {
    const buggy: Work = {
      doctor: async () => ({
        diagnose: async () => {
          throw new TypeError("x is not a function");
        },
      }),
    };
    await expect(run(["doctor"], buggy)).rejects.toThrow(TypeError);
  });
});

describe("run", () => {
  const asked: RunProgramOptions[] = [];
  const load: NonNullable<Work["run"]> = async () => ({
    runProgram: async (options) => {
      asked.push(options);
      options.onLine?.({ level: "log", text: "out" });
      options.onLine?.({ level: "debug", text: "more" });
      options.onLine?.({ level: "warn", text: "careful" });
      options.onLine?.({ level: "error", text: "wrong" });
      options.onLog?.("ballonet: ready");
      return 42;
    },
  });

  it("prints what the program prints, and ends with its code", async () => {
    const { code, out, err } = await run(["run", "app.ts"], { run: load });
    expect({ code, out, err }).toEqual({ code: 42, out: "out\nmore\n", err: "careful\nwrong\n" });
    const verbose = await run(["run", "app.ts", "-v"], { run: load });
    expect(verbose.err).toContain("ballonet: ready\n");
  });

  it("hands on what was typed, and all that stands after --", async () => {
    const options = ["--on", "qemu", "--memory", "1G", "--env", "A=b=c", "--env", "B=;"];
    await run(["run", "app.ts", ...options, "--", "--help", "-v", "--", "x y"], { run: load });
    expect(asked.at(-1)).toMatchObject({
      app: "app.ts",
      on: "qemu",
      memoryBytes: 2 ** 30,
      args: ["--help", "-v", "--", "x y"],
      env: { A: "b=c", B: ";" },
    });
  });

  it.each([
    [[], "no FILE"],
    [["app.ts", "other.ts"], '"other.ts" after "app.ts"'],
    [["app.ts", "--env", "A"], '"A"'],
    [["app.ts", "--machine", "q35"], "q35 on v86"],
    [["app.ts", "--arch", "x86_64"], "x86_64 on v86"],
  ])("refuses %j", async (args, seen) => {
    const { code, err } = await run(["run", ...args], { run: load });
    expect(code).toBe(2);
    expect(err).toContain(seen);
  });
});

describe("doctor", () => {
  const here = { purpose: "all", state: "here", seen: "v1", todo: "" } as const;
  const away = { purpose: "builds", seen: "not found", todo: "install it" } as const;

  it.each([
    ["missing", false, 3],
    ["optional", true, 0],
  ] as const)("with something %s ends with %s and %d", async (state, ready, expected) => {
    const findings = [
      { name: "node", ...here },
      { name: "gcc", ...away, state },
    ];
    const diagnosis = { type: "diagnosis", findings, ready } as const;
    const work: Work = { doctor: async () => ({ diagnose: async () => diagnosis }) };
    const text = await run(["doctor"], work);
    expect(text.code).toBe(expected);
    expect(text.out).toContain("here     node  v1\n");
    expect(text.out).toMatch(
      new RegExp(`^${state} +gcc +not found\n +for builds: install it$`, "m"),
    );
    const json = await run(["doctor", "--json"], work);
    expect(json.code).toBe(expected);
    expect(JSON.parse(json.out)).toEqual(diagnosis);
  });

  it.each([
    [{ BALLONET_QEMU: "/opt/qemu" }, "/opt/qemu"],
    [{ BALLONET_QEMU: "" }, undefined],
  ])("tries the QEMU that sessions use: %o", async (environment, expected) => {
    const asked: unknown[] = [];
    const diagnosis = {
      type: "diagnosis",
      findings: [{ name: "node", ...here }],
      ready: true,
    } as const;
    const load: Work["doctor"] = async () => ({
      diagnose: async ({ qemu } = {}) => {
        asked.push(qemu);
        return diagnosis;
      },
    });
    await run(["doctor"], { doctor: load }, keptIo({ environment }));
    expect(asked).toEqual([expected]);
  });
});

describe("check", () => {
  const asked: CheckDeviceOptions[] = [];
  const hostile: unknown[] = [];
  const behaviours: unknown[] = [];
  const ends = (passed: boolean): NonNullable<Work["check"]> => {
    const host = { name: "v86", arch: "i386", machine: "pc", launch: async () => Promise.reject() };
    return async () => ({
      checkDevice: async (options) => {
        asked.push(options);
        options.onCheck?.("FRAMING", 1, 1);
        return { ...REPORT, passed };
      },
      hostileGuest: async ({ seed, forMs, onProgress }) => {
        onProgress?.("round 1");
        hostile.push({ seed, forMs });
        return { ...REPORT, passed };
      },
      qemuHost: async ({ binary, arch, machine, balloon } = {}) => ({
        ...{ ...host, name: `QEMU ${binary}`, arch: arch ?? "x86_64", machine: machine ?? "pc" },
        settings: { packed: `${balloon?.properties?.packed}` },
      }),
      v86Host: () => ({ ...host, arch: "i386" }),
      checkBehaviours: async (options) => {
        behaviours.push(options.only);
        options.onCheck?.("tp-qemu/balloon_check", 1, 1);
        return { ...REPORT, passed };
      },
      firecrackerHost: async (options) => programHost("Firecracker", options),
      cloudHypervisorHost: async (options) => programHost("Cloud Hypervisor", options),
      crosvmHost: async (options) => programHost("crosvm", options),
      HOST_TEMPLATE: "a template",
    });
  };
  const programHost = (name: string, { program, transport }: ProgramHostOptions = {}) => ({
    ...{ name, arch: "x86_64" as const, machine: "pci", launch: async () => Promise.reject() },
    settings: { program: program?.join("|") ?? "", transport: transport ?? "" },
  });

  it("asks for the device as it was named, and ends with 1 when it breaks a MUST", async () => {
    const args = ["--on=qemu", "--qemu=/opt/qemu", "--arch=i386", "--machine=q35"];
    const more = ["--device=packed=on", "--only=FRAMING,SPURIOUS", "--shard=2/3", "--timeout=2m"];
    const { code, out } = await run(["check", ...args, ...more], { check: ends(false) });
    expect(code).toBe(1);
    expect(out).toContain("failed: ");
    expect(asked.at(-1)).toMatchObject({
      host: { name: "QEMU /opt/qemu", arch: "i386", machine: "q35", settings: { packed: "on" } },
      only: ["FRAMING", "SPURIOUS"],
      shard: { number: 2, of: 3 },
      timeoutMs: 120_000,
    });
  });

  it("takes v86 where nothing is named, and ends with 0 when no MUST is broken", async () => {
    expect((await run(["check", "--report=tap"], { check: ends(true) })).code).toBe(0);
    expect(asked.at(-1)).toMatchObject({ host: { name: "v86" } });
  });

  it("sends a hostile guest, by seed and for a time", async () => {
    const args = ["check", "--hostile", "--seed=7", "--for=5m"];
    expect((await run(args, { check: ends(false) })).code).toBe(1);
    expect(hostile.at(-1)).toEqual({ seed: 7, forMs: 300_000 });
  });

  it("looks at behaviours, and prints a host to begin with", async () => {
    const args = ["check", "--behaviours", "--only=tp-qemu/balloon_check"];
    expect((await run(args, { check: ends(true) })).code).toBe(0);
    expect(behaviours).toEqual([["tp-qemu/balloon_check"]]);
    const { code, out } = await run(["check", "--template"], { check: ends(false) });
    expect([code, out]).toEqual([0, "a template"]);
  });

  it.each([
    ["firecracker", "Firecracker", "BALLONET_FIRECRACKER"],
    ["cloud-hypervisor", "Cloud Hypervisor", "BALLONET_CLOUD_HYPERVISOR"],
    ["crosvm", "crosvm", "BALLONET_CROSVM"],
  ])("takes %s by its program", async (on, name, variable) => {
    const io = keptIo({ environment: { [variable]: "/opt/vmm --flag" } });
    const args = ["check", `--on=${on}`];
    expect((await run(args, { check: ends(true) }, io)).code).toBe(0);
    const settings = { program: "/opt/vmm|--flag", transport: "" };
    expect(asked.at(-1)).toMatchObject({ host: { name, settings } });
    const more = [...args, "--program=vmm", "--transport=modern"];
    expect((await run(more, { check: ends(true) }, io)).code).toBe(0);
    const other = { program: "vmm", transport: "modern" };
    expect(asked.at(-1)).toMatchObject({ host: { settings: other } });
  });

  it("takes a host from a file, and beside a baseline only what is new fails", async () => {
    const folder = await mkdtemp(join(tmpdir(), "check-test-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const [host, none, same] = ["a.mjs", "b.mjs", "c.json"].map((name) => join(folder, name));
    await writeFile(String(host), 'export default { name: "mine", launch() {} };');
    await writeFile(String(none), "export default 5;");
    await writeFile(String(same), JSON.stringify(REPORT));
    const args = ["check", `--on=${host}`, `--baseline=${same}`];
    expect((await run(args, { check: ends(false) })).code).toBe(0);
    expect(asked.at(-1)).toMatchObject({ host: { name: "mine" } });
    const refused = await run(["check", `--on=${none}`], { check: ends(true) });
    expect(refused.code).toBe(2);
    expect(refused.err).toContain("CheckHostSystem");
    expect((await run(["check", `--on=${folder}/d.mjs`], { check: ends(true) })).code).toBe(3);
  });

  it.each([
    [["--machine=q35"], "--machine on v86"],
    [["--transport=modern"], "--transport on v86"],
    [["--on=qemu", "--program=x"], "--program on qemu"],
    [["--on=crosvm", "--device=packed=on"], "--device on crosvm"],
    [["--hostile", "--behaviours"], "--behaviours with --hostile"],
    [["--seed=1"], "--seed alone"],
    [["--hostile", "--seed=a"], '"a"'],
    [["--hostile", "--only=FRAMING"], "--only with --hostile"],
    [["--hostile", "--shard=1/2"], "--shard with --hostile"],
    [["--hostile", "--timeout=1m"], "--timeout with --hostile"],
    [["--hostile", "--for=0s"], '"0s"'],
    [["--timeout=600h"], '"600h"'],
    [["--timeout=40000m"], '"40000m"'],
    [["--only="], "no value"],
    [["--only=FRAMING,,SPURIOUS"], '"FRAMING,,SPURIOUS"'],
    [["--shard=0/0"], '"0/0"'],
    [["--on=qemu", "--machine=none"], '"none"'],
    [["--on=qemu", "--arch=arm"], '"arm"'],
    [["--on=qemu", "--device=packed"], '"packed"'],
    [["--shard=4/3"], '"4/3"'],
    [["--report=xml"], '"xml"'],
  ])("refuses %s", async (args, seen) => {
    const { code, err } = await run(["check", ...args], { check: ends(true) });
    expect(code).toBe(2);
    expect(err).toContain(seen);
  });
});

describe("judge", () => {
  const asked: JudgeKernelOptions[] = [];
  const load: NonNullable<Work["judge"]> = async () => ({
    ...(await import("../../../src/judge/index.ts")),
    judgeKernel: async (options) => {
      asked.push(options);
      options.onScenario?.("start", 0, 1);
      return { ...REPORT, passed: options.kernel === "good" };
    },
  });

  it("asks for a Linux as it was named, and ends with 1 when it failed", async () => {
    const args = [
      "--kernel=bad",
      "--modules=lib/modules",
      "--machine=q35",
      "--memory=1G",
      "--append=init_on_alloc=0 quiet",
      "--qemu=/opt/qemu",
      "--features=page-reporting,-stats-vq,version-1",
      "--vectors=3",
      "--profile=qemu",
      "--transport=transitional",
      "--scenario=start,targets",
      "--scenario=hints",
      "--waive=D7,Q-ORDER",
      "--timeout=2m",
      "--shard=2/3",
    ];
    const { code, out } = await run(["judge", ...args], { judge: load });
    expect(code).toBe(1);
    expect(out).toContain("failed: ");
    expect(asked.at(-1)).toMatchObject({
      kernel: "bad",
      modules: "lib/modules",
      machine: "q35",
      memoryBytes: 2 ** 30,
      append: "init_on_alloc=0 quiet",
      qemu: "/opt/qemu",
      device: {
        offer: { pageReporting: true, statsVq: false, version1: true },
        vectors: 3,
        profile: "qemu",
        transport: "transitional",
        waive: ["D7", "Q-ORDER"],
      },
      scenarios: ["start", "targets", "hints"],
      shard: { number: 2, of: 3 },
      timeoutMs: 120_000,
    });
  });

  it("ends with 0 when it passed, and leaves to the work what was not named", async () => {
    expect((await run(["judge", "--kernel", "good"], { judge: load })).code).toBe(0);
    const { modules, machine, memoryBytes, timeoutMs, device } = asked.at(-1) ?? {};
    expect([modules, machine, memoryBytes, timeoutMs]).toEqual(Array(4).fill(undefined));
    expect(device).toEqual({ profile: "strict", transport: "modern", waive: [] });
  });

  it("writes reports into files and prints another one, and says where it cannot", async () => {
    const folder = await mkdtemp(join(tmpdir(), "report-test-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const [json, tap] = [join(folder, "a=b,c.json"), join(folder, "a.tap")];
    const args = ["judge", "--kernel=good", `--report=json=${json}`, "--report", `tap=${tap}`];
    const { code, out } = await run(args, { judge: load });
    expect(code).toBe(0);
    expect(out).toContain("\npassed: 2 scenarios");
    expect(out).toContain(`report: ${json}, `);
    expect(JSON.parse(await readFile(json, "utf8"))).toEqual({ ...REPORT, passed: true });
    expect(await readFile(tap, "utf8")).toBe(`${reportLines(REPORT, "tap").join("\n")}\n`);
    const printed = await run([...args, "--report", "junit"], { judge: load });
    expect(printed.out).toBe(`${reportLines(REPORT, "junit").join("\n")}\n`);
    const nowhere = await run(["judge", "--kernel=good", `--report=tap=${folder}/none/a`]);
    expect(nowhere.code).toBe(3);
    expect(nowhere.err).toContain("option --report tap=");
  });

  it("fails beside a baseline by what is new alone, and refuses what is no report", async () => {
    const folder = await mkdtemp(join(tmpdir(), "report-test-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const [same, other, none] = ["same", "other", "none"].map((name) => join(folder, name));
    await writeFile(String(same), JSON.stringify(REPORT));
    await writeFile(String(other), JSON.stringify({ ...REPORT, profile: "qemu", results: [] }));
    await writeFile(String(none), "{}");
    const beside = (file = "") =>
      run(["judge", "--kernel=bad", `--baseline=${file}`], { judge: load });
    const known = await beside(same);
    expect(known.code).toBe(0);
    expect(known.out).toMatch(/^ {2}nothing is new, and nothing is gone$/m);
    const fresh = await beside(other);
    expect(fresh.code).toBe(1);
    expect(fresh.out).toMatch(/^ {2}unequal {2}profile: qemu, now strict$/m);
    expect((await beside(none)).code).toBe(2);
    expect((await beside(join(folder, "absent"))).code).toBe(3);
  });

  it.each([
    [[], "no driver"],
    [["--kernel=a", "--report=xml"], '"xml"'],
    [["--kernel=a", "--shard=4/3"], '"4/3"'],
    [["--kernel=a", "--report=jsn=f"], '"jsn"\n         do:   did you mean json?'],
    [["--kernel=a", "--report=tap", "--report=json"], "two reports for standard output"],
    [["--kernel=a", "--report=tap=/tmp/a", "--report=json=/tmp/a"], "two reports for /tmp/a"],
    [["--wasm=a", "--kernel=b"], "--wasm and --kernel"],
    [["--memory=1G"], "--memory without --kernel"],
    [["--wasm=a", "--qemu=b"], "--qemu without --kernel or --disk"],
    [["--wasm=a", "--disk=b"], "--wasm and --disk"],
    [["--disk=a", "--on=v86"], "--on without --kernel"],
    [["--serve=a", "--kernel=b"], "--kernel and --serve"],
    [["--serve=a", "--shard=1/2"], "--shard without --kernel or --disk or --wasm"],
    [["--serve=a", "--scenario=start,targets"], "--serve with two scenarios"],
    [["--kernel=a", "--features=stats"], '"stats"'],
    [["--kernel=a", "--vectors=129"], '"129"'],
    [["--kernel=a", "--waive=D99"], '"D99"'],
    [["--kernel=a", "--waive=D7,Q-ODER"], '"Q-ODER"\n         do:   did you mean Q-ORDER?'],
    [["--kernel=a", "--scenario=start,targest"], '"targest"\n         do:   did you mean targets?'],
    [["--kernel=a", "--scenario=start,"], '""'],
  ])("refuses %j", async (args, seen) => {
    const { code, err } = await run(["judge", ...args]);
    expect(code).toBe(2);
    expect(err).toContain(`seen: ${seen}`);
  });
});

describe("report merge", () => {
  const load: NonNullable<Work["report"]> = () => import("../../../src/judge/index.ts");
  const merge = (...args: readonly string[]) => run(["report", "merge", ...args], { report: load });

  async function shards(...names: readonly string[]): Promise<string[]> {
    const folder = await mkdtemp(join(tmpdir(), "merge-test-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const files = names.map((name) => join(folder, `${name.replace("/", "-")}.json`));
    for (const [index, shard] of names.entries()) {
      const results = REPORT.results.filter((_, at) => at % names.length === index);
      const part = { ...REPORT, shard, results, passed: false };
      await writeFile(String(files[index]), JSON.stringify(part));
    }
    return files;
  }

  it("prints one report of all shards, and writes it in every format", async () => {
    const files = await shards("1/2", "2/2");
    const { code, out, err } = await merge(...files, "--json");
    expect({ code, err }).toEqual({ code: 1, err: "" });
    expect(JSON.parse(out)).toEqual(REPORT);
    const page = `${files[0]}.html`;
    const text = await merge(...files, `--report=html=${page}`);
    expect(text.out).toContain(reportLines(REPORT, "text").join("\n"));
    expect(await readFile(page, "utf8")).toBe(`${reportLines(REPORT, "html").join("\n")}\n`);
    await writeFile(page, JSON.stringify(REPORT));
    expect((await merge(...files, "--baseline", page)).code).toBe(0);
  });

  it("refuses what is no report of this run, and files that are not there", async () => {
    const [first = "", second = ""] = await shards("1/2", "2/2");
    const refused = await merge(first);
    expect(refused.code).toBe(2);
    expect(refused.err).toContain("seen: no shard 2/2");
    await writeFile(second, '{"type":"comparison"}');
    const foreign = await merge(first, second);
    expect(foreign.code).toBe(2);
    expect(foreign.err).toContain(`the report ${second}\n`);
    expect((await merge(first, `${second}.none`)).code).toBe(3);
    for (const [args, words] of [
      [["merge"], "no FILE..."],
      [["merg", first], "did you mean merge?"],
      [[], "no ACTION"],
    ] as const) {
      const wrong = await run(["report", ...args]);
      expect(wrong.code).toBe(2);
      expect(wrong.err).toContain(words);
    }
    expect((await merge("--help")).code).toBe(0);
  });
});

describe("compare", () => {
  const comparison = comparisonOf(losing(), madeUp());
  const asked: CompareOptions[] = [];
  const load: Work["compare"] = async () => ({
    ...(await import("../../../src/lab/index.ts")),
    compareDeflate: async (options = {}) => {
      asked.push(options);
      options.onCell?.("linux/locked", 1, 2);
      return comparison;
    },
  });

  it("asks for what was named, prints the table, and ends with 0 though data was lost", async () => {
    const args = [
      "--host=locked",
      "--persona",
      "linux",
      "--persona",
      "silent",
      "--dialect=two-bit",
      "--path=amid",
    ];
    const { code, out, err } = await run(["compare", "deflate", ...args], { compare: load });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(asked.at(-1)).toMatchObject({
      personas: ["linux", "silent"],
      hosts: ["locked"],
      dialects: ["two-bit"],
      paths: ["amid"],
    });
    expect(out).toMatch(/^! windows /m);
    for (const control of ["\r", "\u001b"]) expect(out).not.toContain(control);
  });

  it("is one object with --json", async () => {
    const { code, out, err } = await run(["compare", "deflate", "--json"], { compare: load });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(JSON.parse(out)).toEqual(comparison);
  });

  it("draws its progress on a terminal's standard error, and takes it away", async () => {
    const io = keptIo({ isTerminal: true });
    const { err } = await run(["compare", "deflate"], { compare: load }, io);
    expect(err).toContain("2/2 linux/locked");
    expect(err.endsWith("\r\u001b[K")).toBe(true);
  });

  it("writes a page, and says where a page cannot be written", async () => {
    const folder = await mkdtemp(join(tmpdir(), "page-test-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, "page.html");
    const { code, out } = await run(["compare", "deflate", "--html", file], { compare: load });
    expect(code).toBe(0);
    expect(await readFile(file, "utf8")).toBe(comparisonPage(comparison));
    expect(out).toContain(`page: ${file}, `);
    const nowhere = join(folder, "none", "page.html");
    // Before the run: no work is expected.
    const refused = await run(["compare", "deflate", "--html", nowhere]);
    expect(refused.code).toBe(3);
    expect(refused.err).toContain("option --html");
  });
});

describe("explain", () => {
  const explanation: Explanation = {
    ...{ type: "explanation", name: "linux", kinds: ["persona"] },
    ...{ paragraphs: ["Some words."], cells: [], findings: findingsOf([losing()]) },
  };
  const names: (string | undefined)[] = [];
  const load: Work["explain"] = async () => ({
    ...(await import("../../../src/lab/index.ts")),
    explainDeflate: async ({ name } = {}) => {
      names.push(name);
      return explanation;
    },
  });

  it("asks for the name that was typed, or for none, and prints text or one object", async () => {
    const text = await run(["explain", "linux"], { explain: load });
    expect(text.out).toBe(
      "linux: persona\n\nSome words.\n\nRun just now\n" +
        "! locked-always with windows: 1,006 faults, 1,004 frames lost of what the guest had written\n",
    );
    const json = await run(["explain", "--json"], { explain: load });
    expect(JSON.parse(json.out)).toEqual(explanation);
    expect([text.code, json.code, text.err, json.err]).toEqual([0, 0, "", ""]);
    expect(names).toEqual(["linux", undefined]);
  });
});

describe("image", () => {
  const made = { path: "/x y/a.elf", symbolsPath: "/x y/a.sym.elf", coreFunctions: [] };
  const built = { ...made, bytes: 2 ** 20, snapshotBytes: 0 };
  const load: Work["image"] = async () => ({
    provideImage: async (options) => {
      options.onProgress?.({ step: "link", done: 6, of: 7 });
      return built;
    },
  });

  it("prints the command line that boots what was built, quoted for a shell", async () => {
    const { code, out } = await run(["image", "--arch", "i386", "--quiet"], { image: load });
    expect(code).toBe(0);
    expect(out).toMatch(/^qemu-system-i386 .*-kernel '\/x y\/a.elf' .*\n$/);
  });

  it("makes the file a bzImage for kvmtool", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ballonet-"));
    const path = join(folder, "a.elf");
    const image = new Uint8Array(0x1010);
    // A setup header is there when it tells how many sectors it has.
    image[0x1f1] = 7;
    await writeFile(path, image);
    const work: Work["image"] = async () => ({ provideImage: async () => ({ ...built, path }) });
    const { code, out } = await run(["image", "--quiet", "--format", "kvmtool"], { image: work });
    const made = await readFile(path);
    await rm(folder, { recursive: true });
    expect([code, out]).toEqual([0, `${recipe("kvmtool", { arch: "x86_64", image: path })}\n`]);
    expect(made.subarray(0x202, 0x206).toString()).toBe("HdrS");
    const refused = await run(["image", "--format", "kvmtool"], { image: load });
    expect(refused.code).toBe(3);
  });

  const asIs = RECIPE_NAMES.filter((name) => name !== "kvmtool");
  it.each(asIs)("prints the recipe for %s", async (format) => {
    const { code, out } = await run(["image", "--quiet", "--format", format], { image: load });
    expect(code).toBe(0);
    expect(out).toBe(`${recipe(format, { arch: "x86_64", image: built.path })}\n`);
    const refused = await run(["image", "--format", format, "--arch", "i386"], { image: load });
    const isWide = format === "firecracker" || format === "cloud-hypervisor";
    expect(refused.code).toBe(isWide ? 2 : 0);
  });

  it("builds a program of the caller's, once that can be read", async () => {
    const asked: (string | undefined)[] = [];
    const image: Work["image"] = async () => ({
      provideImage: async ({ entry }) => {
        asked.push(entry);
        return built;
      },
    });
    const entry = fileURLToPath(import.meta.url);
    expect((await run(["image", "--quiet", "--entry", entry], { image })).code).toBe(0);
    const { code, err } = await run(["image", "--entry", "/no/program.ts"], { image });
    expect(code).toBe(3);
    expect(err).toMatch(/^failed {3}option --entry\n +seen: ENOENT/);
    expect(asked).toEqual([entry]);
  });

  it("draws its steps on a terminal, and takes them away", async () => {
    const io = keptIo({ isTerminal: true });
    const { out } = await run(["image"], { image: load }, io);
    const [, drawn = "", rest = ""] = out.split("\r");
    expect(drawn).toMatch(/build.* 7\/7 link$/);
    const printed = "/x y/a.elf, 1.0 MiB; boot it with\n\nqemu-system-x86_64 ";
    expect(rest.slice(0, printed.length + 3)).toBe(`\u001b[K${printed}`);
  });

  it("is one object with --json", async () => {
    const { out } = await run(["image", "--json"], { image: load });
    const { command, format, recipe, ...rest } = JSON.parse(out);
    expect({ format, recipe }).toEqual({ format: "qemu", recipe: shellLine(command) });
    expect(rest).toEqual({ type: "image", arch: "x86_64", path: built.path, bytes: built.bytes });
    expect(command).toContain(built.path);
  });
});
