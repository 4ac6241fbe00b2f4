/**
 * crosvm as a host, by its own commands, which talk to the control socket of a running one
 * (src/crosvm/cmdline.rs of August 2026).
 *
 * Its COM1 is put on its own input and output. DEFLATE_ON_OOM is always offered.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { FailureError } from "../../failure.ts";
import { PAGE_BYTES } from "../../vmm/index.ts";
import { asBigInt, isJsonObject, type JsonObject, parseJson } from "../../vmm/json.ts";
import type { CheckedMachine, CheckHostSystem, HostHand, HostLaunch } from "./host.ts";
import {
  giveUpOnError,
  HostProgram,
  makeFolder,
  newPath,
  type ProgramHostOptions,
  type ProgramWords,
  programOf,
} from "./program.ts";
import { statisticsIn } from "./statistics.ts";
import { checkTransport } from "./transport.ts";
import { socketOf } from "./unix-http.ts";

const MIB = 2 ** 20;
const COMMAND_MS = 10_000;

/** Returns crosvm as a host. Rejects with FailureError `missing` or `usage`. */
export async function crosvmHost(options: ProgramHostOptions = {}): Promise<CheckHostSystem> {
  checkTransport("crosvm", options.transport, ["modern"]);
  const words = await programOf("crosvm", options.program);
  return {
    name: "crosvm",
    arch: "x86_64",
    machine: "pci",
    settings: { transport: "modern" },
    control: "com1",
    can: ["target", "shown", "statistics", "pause", "snapshot", "resident", "reporting"],
    launch: async (launch) => {
      const started = await start({ words, folder: await makeFolder(), launch });
      return machineOf({ ...started, words, launch });
    },
  };
}

interface Started {
  readonly program: HostProgram;
  readonly socket: string;
}

interface Parts extends Started {
  readonly words: ProgramWords;
  readonly launch: HostLaunch;
}

async function start(parts: {
  readonly words: ProgramWords;
  readonly folder: string;
  readonly launch: HostLaunch;
  /** Arguments for a machine that goes on from a saved one. */
  readonly restore?: readonly string[];
}): Promise<Started> {
  const { words, folder, launch, restore = [] } = parts;
  const { image, append, memoryBytes, device = {}, signal } = launch;
  const socket = newPath(folder, "control");
  const args = [
    ...["run", "--disable-sandbox", "--mem", `${memoryBytes / MIB}`, "--params", append],
    ...["--socket", socket],
    ...["--serial", "type=file,path=/proc/self/fd/1,input=/proc/self/fd/0,hardware=serial,num=1"],
    ...(device.reporting ? ["--balloon-page-reporting"] : []),
    ...restore,
    image,
  ];
  const program = new HostProgram({ words, args, folder, serial: "stdio", signal });
  await giveUpOnError(program, socketOf(program, socket));
  return { program, socket };
}

/** Runs one of its commands. Returns what it prints. Rejects with FailureError `emulator`. */
async function tell({ socket, words }: Parts, ...args: string[]): Promise<string> {
  const [path, ...first] = words;
  const all = [...first, ...args, socket];
  try {
    return (await promisify(execFile)(path, all, { timeout: COMMAND_MS })).stdout;
  } catch (error) {
    const seen = error instanceof Error ? error.message.trim() : String(error);
    const todo = "see what the version's commands are";
    throw new FailureError({ kind: "emulator", what: `crosvm ${args[0]}`, seen, todo });
  }
}

function machineOf(parts: Parts): CheckedMachine {
  const { program } = parts;
  const hand: HostHand = {
    // It asks the guest at each question.
    askMs: 0,
    setTarget: (pages) => tell(parts, "balloon", `${pages * PAGE_BYTES}`),
    shown: async () => {
      const { actual } = await balloonStats(parts);
      return { actualPages: Number(actual) / PAGE_BYTES };
    },
    statistics: async () => statisticsIn((await balloonStats(parts)).stats),
    pause: () => tell(parts, "suspend"),
    resume: () => tell(parts, "resume"),
    residentBytes: () => program.residentBytes(),
    snapshot: () => snapshot(parts),
  };
  const { log, control } = program.serial;
  return { lines: log, ended: program.ended, kill: () => program.kill(), control, hand };
}

async function balloonStats(parts: Parts): Promise<{ stats: JsonObject; actual: bigint }> {
  const text = await tell(parts, "balloon_stats");
  const answer = parseJson(text);
  const known = isJsonObject(answer) ? answer.BalloonStats : undefined;
  if (isJsonObject(known)) {
    const actual = asBigInt(known.balloon_actual);
    if (isJsonObject(known.stats) && actual !== undefined) return { stats: known.stats, actual };
  }
  const todo = "see what the version prints";
  throw new FailureError({ kind: "emulator", what: "crosvm balloon_stats", seen: text, todo });
}

async function snapshot(parts: Parts): Promise<CheckedMachine> {
  const { folder } = parts.program;
  const state = join(folder, "state");
  await tell(parts, "suspend", "--full");
  await tell(parts, "snapshot", "take", state);
  await parts.program.kill({ keepFolder: true });
  const next = { ...parts, ...(await start({ ...parts, folder, restore: ["--restore", state] })) };
  await giveUpOnError(next.program, tell(next, "resume", "--full"));
  return machineOf(next);
}
