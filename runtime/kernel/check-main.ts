/**
 * The guest program of an image that checks the device: it prints TAP on COM1 and ends the machine.
 *
 *   words of the command line   check.only=ID,ID   check.shard=K/N (every Nth of these)
 *                               check.host=com2 (somebody serves that port), or com1
 *                               hostile.seed=N hostile.ms=N (rounds instead), hostile.keep=N,N
 *   to the host                 { "method": "check", "params": { "value": HostRequest } }
 *   from the host               { "id": N, "method": "answer", "params": HostAnswer or {} }
 *
 * The module is evaluated when the image is built, so only `boot` may use the machine.
 */
import { Bench, type CheckHost, type HostAnswer, PAGE_BYTES } from "../check/bench.ts";
import {
  type CheckResult,
  checks,
  openBench,
  runSuite,
  type SuiteOptions,
} from "../check/suite.ts";
import { isPass, tapHead, tapLines, tapSummary } from "../check/tap.ts";
import { runHostile } from "./check-hostile.ts";
import { guestHal } from "./guest.ts";
import { type Machine, MESSAGE, theMachine } from "./machine.ts";

/** More than the checks take at once. */
const AREA_BYTES = 2 * 1024 * 1024;
/** How long the host may take for an answer. */
const ANSWER_MS = 10_000;
/** The interrupt lines of the serial ports. */
const LINE_OF = { 1: 4, 2: 3 } as const;
const EXIT_CODE = { holds: 0, broken: 1, noMemory: 11 } as const;

function wordOf(machine: Machine, name: string): string | undefined {
  const start = `${name}=`;
  const word = machine
    .commandLine()
    .split(/\s+/)
    .find((one) => one.startsWith(start));
  return word?.slice(start.length);
}

/** Asks over a port and waits for the answer. A host that never answers is asked no more. */
function hostOf(machine: Machine): CheckHost {
  const word = wordOf(machine, "check.host");
  const port = word === "com1" ? 1 : 2;
  let isThere = word !== undefined;
  let text = "";
  const line = (untilMs: number): string | undefined => {
    while (machine.now() < untilMs) {
      text += machine.serialRead(port);
      const end = text.indexOf("\n");
      if (end >= 0) {
        const first = text.slice(0, end);
        text = text.slice(end + 1);
        return first;
      }
      machine.waitForInterrupt(Math.min(untilMs, machine.now() + 5));
    }
    return undefined;
  };
  if (isThere) machine.listen(LINE_OF[port]);
  return {
    ask(request) {
      if (!isThere) return undefined;
      const said = { jsonrpc: "2.0", method: "check", params: { value: request } };
      machine.serialWrite(port, `${JSON.stringify(said)}\n`);
      const answer = line(machine.now() + ANSWER_MS);
      isThere = answer !== undefined;
      if (answer === undefined) return undefined;
      const { id, params } = JSON.parse(answer) as { id: number; params: { answer?: HostAnswer } };
      const done = { jsonrpc: "2.0", id, result: true };
      machine.serialWrite(port, `${JSON.stringify(done)}\n`);
      return params.answer;
    },
  };
}

function findArea(machine: Machine): number | undefined {
  const found = machine.memoryMap().find(({ kind, base, size }) => {
    const start = Math.ceil(base / PAGE_BYTES) * PAGE_BYTES;
    return kind === "available" && base + size - start >= AREA_BYTES + PAGE_BYTES;
  });
  return found && Math.ceil(found.base / PAGE_BYTES) * PAGE_BYTES;
}

/** Waits, and keeps the interrupt messages that come meanwhile. */
function clockOf(machine: Machine) {
  let came = 0;
  return {
    pass: (ms: number) => {
      const end = machine.now() + ms;
      do came |= machine.waitForInterrupt(end) >>> MESSAGE.firstLine;
      while (machine.now() < end);
    },
    takeMessages: () => {
      const bits = came;
      came = 0;
      return Array.from({ length: 15 }, (_, bit) => bit).filter((bit) => (bits & (1 << bit)) !== 0);
    },
  };
}

export function boot(): number {
  const machine = theMachine();
  const start = findArea(machine);
  if (start === undefined) {
    machine.serialWrite(1, "Bail out! no 2 MiB of memory in one piece\n");
    return machine.exit(EXIT_CODE.noMemory);
  }
  const hal = guestHal(machine);
  const messages = hal.interrupts?.allocate(2);
  const print = (lines: readonly string[]) => {
    for (const line of lines) machine.serialWrite(1, `${line}\n`);
  };
  const options: SuiteOptions = {
    hal: { ...hal, ...(messages && { interrupts: { allocate: () => messages } }) },
    memory: {
      read: (address, width) => machine.memoryRead(address, width),
      write: (address, width, value) => machine.memoryWrite(address, width, value),
    },
    area: { start, bytes: AREA_BYTES },
    ...clockOf(machine),
    host: hostOf(machine),
    commandLine: machine.commandLine(),
    probe: true,
  };
  const isGood =
    wordOf(machine, "hostile.seed") === undefined
      ? suite(machine, options, print)
      : hostile(machine, options, print);
  return machine.exit(isGood ? EXIT_CODE.holds : EXIT_CODE.broken);
}

type Print = (lines: readonly string[]) => void;

function suite(machine: Machine, options: SuiteOptions, print: Print): boolean {
  const known = checks.map(({ id }) => id);
  const all = wordOf(machine, "check.only")?.split(",") ?? known;
  const unknown = all.filter((id) => !known.includes(id));
  if (unknown.length > 0) {
    print([`# known ${known.join(",")}`, `Bail out! no check ${unknown.join(", ")}`]);
    return false;
  }
  const named = checks.filter(({ id }) => all.includes(id));
  const [part = 1, parts = 1] = (wordOf(machine, "check.shard") ?? "1/1").split("/").map(Number);
  const chosen = named.filter((_, index) => index % parts === part - 1);
  print([...tapHead(chosen.length), `# checks ${named.map(({ id }) => id).join(",")}`]);
  let number = 0;
  const results: readonly CheckResult[] = runSuite({
    ...options,
    only: chosen.map(({ id }) => id),
    onResult: (result) => print(tapLines(result, ++number)),
  });
  print(tapSummary(results));
  return results.every(isPass);
}

function hostile(machine: Machine, options: SuiteOptions, print: Print): boolean {
  const bench = openBench(options);
  if (!(bench instanceof Bench)) {
    print([`Bail out! ${bench.message}`]);
    return false;
  }
  const keep = wordOf(machine, "hostile.keep");
  return runHostile(bench, {
    seed: Number(wordOf(machine, "hostile.seed")),
    forMs: Number(wordOf(machine, "hostile.ms") ?? 0),
    ...(keep !== undefined && { keep: keep.split(",").map(Number) }),
    now: () => machine.now(),
    print: (line) => print([line]),
  });
}

/** Never called: `boot` ends the machine. */
export function wake(): number {
  return Number.POSITIVE_INFINITY;
}
