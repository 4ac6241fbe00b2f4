/**
 * Firecracker as a host, by its API over a Unix socket: its swagger/firecracker.yaml and
 * docs/ballooning.md, of version 1.17.
 *
 * Its COM1 is its own input and output. It takes targets in MiB, and statistics only when they
 * were asked for before the start.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FailureError } from "../../failure.ts";
import { asBigInt } from "../../vmm/json.ts";
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
import { apiOf, type UnixHttp } from "./unix-http.ts";

const MIB = 2 ** 20;
const PAGES_PER_MIB = 256;
/** A change of the interval asks at once; the guest then answers. */
const FRESH_MS = 1_200;
const INTERVAL_S = 1;
/** FREE_PAGE_HINT_DONE of src/vmm/src/devices/virtio/balloon/mod.rs; a run has a larger number. */
const HINT_DONE = 1n;
const HINT_MS = 20_000;
const LOOK_MS = 50;

/**
 * Returns Firecracker as a host: `mmio` is its default, `modern` takes its `--enable-pci`. Rejects
 * with FailureError `missing` or `usage`.
 */
export async function firecrackerHost(options: ProgramHostOptions = {}): Promise<CheckHostSystem> {
  const { transport = "mmio" } = options;
  checkTransport("Firecracker", transport, ["mmio", "modern"]);
  const words = await programOf("firecracker", options.program);
  const args = transport === "modern" ? ["--enable-pci"] : [];
  return {
    name: "Firecracker",
    arch: "x86_64",
    machine: "microvm",
    settings: { transport },
    control: "com1",
    can: [
      ...(["target", "shown", "statistics", "interval", "hint", "pause", "snapshot"] as const),
      ...(["resident", "deflate-on-oom", "reporting", "hinting"] as const),
    ],
    launch: async (launch) => {
      const started = await start({ words, args, folder: await makeFolder(), launch });
      await giveUpOnError(started.program, boot(started.api, launch));
      return machineOf({ ...started, words, args, launch });
    },
  };
}

interface StartOptions {
  readonly words: ProgramWords;
  readonly args: readonly string[];
  readonly folder: string;
  readonly launch: Pick<HostLaunch, "signal">;
}

interface Started {
  readonly program: HostProgram;
  readonly api: UnixHttp;
}

async function start({ words, args, folder, launch }: StartOptions): Promise<Started> {
  const path = newPath(folder, "api");
  const { signal } = launch;
  // Its own log would stand in the guest's lines, and in the middle of them.
  const log = join(folder, "log");
  await writeFile(log, "");
  const all = ["--api-sock", path, "--log-path", log, ...args];
  const program = new HostProgram({ words, args: all, folder, serial: "stdio", signal });
  return { program, api: await apiOf(program, path, "/") };
}

async function boot(api: UnixHttp, launch: HostLaunch): Promise<void> {
  const { image, append, memoryBytes, device = {} } = launch;
  const { deflateOnOom = false, reporting = false, hinting = false } = device;
  await api.send("PUT", "machine-config", { vcpu_count: 1, mem_size_mib: memoryBytes / MIB });
  await api.send("PUT", "boot-source", { kernel_image_path: image, boot_args: append });
  await api.send("PUT", "balloon", {
    amount_mib: 0,
    deflate_on_oom: deflateOnOom,
    stats_polling_interval_s: INTERVAL_S,
    // Versions before 1.14 have neither, and refuse names that they do not know.
    ...(hinting && { free_page_hinting: true }),
    ...(reporting && { free_page_reporting: true }),
  });
  await api.send("PUT", "actions", { action_type: "InstanceStart" });
}

function machineOf(parts: Started & Omit<StartOptions, "folder">): CheckedMachine {
  const { program, api } = parts;
  const hand: HostHand = {
    targetUnitPages: PAGES_PER_MIB,
    setTarget: (pages) => api.send("PATCH", "balloon", { amount_mib: pages / PAGES_PER_MIB }),
    shown: async () => ({
      actualPages: await api.getNumber("balloon/statistics", "actual_pages"),
    }),
    statistics: async ({ fresh }) => {
      if (fresh) {
        await setInterval(api, INTERVAL_S);
        await sleep(FRESH_MS);
      }
      return statisticsIn(await api.get("balloon/statistics"));
    },
    setInterval: (seconds) => setInterval(api, seconds),
    hint: () => hint(api),
    pause: () => api.send("PATCH", "vm", { state: "Paused" }),
    resume: () => api.send("PATCH", "vm", { state: "Resumed" }),
    residentBytes: () => program.residentBytes(),
    snapshot: () => snapshot(parts),
  };
  const { log, control } = program.serial;
  return { lines: log, ended: program.ended, kill: () => program.kill(), control, hand };
}

function setInterval(api: UnixHttp, seconds: number) {
  return api.send("PATCH", "balloon/statistics", { stats_polling_interval_s: seconds });
}

async function hint(api: UnixHttp): Promise<void> {
  await api.send("PATCH", "balloon/hinting/start", { acknowledge_on_stop: true });
  const endMs = performance.now() + HINT_MS;
  while (performance.now() < endMs) {
    const command = asBigInt((await api.get("balloon/hinting/status")).host_cmd);
    if (command !== undefined && command <= HINT_DONE) return;
    await sleep(LOOK_MS);
  }
  const seen = `none after ${HINT_MS} ms`;
  const todo = "see whether the guest has the feature";
  throw new FailureError({ kind: "emulator", what: "the end of the hints", seen, todo });
}

async function snapshot(parts: Started & Omit<StartOptions, "folder">): Promise<CheckedMachine> {
  const { program, api } = parts;
  const { folder } = program;
  const files = { state: join(folder, "state"), memory: join(folder, "memory") };
  await api.send("PATCH", "vm", { state: "Paused" });
  await api.send("PUT", "snapshot/create", {
    ...{ snapshot_type: "Full", snapshot_path: files.state, mem_file_path: files.memory },
  });
  await program.kill({ keepFolder: true });
  const next = await start({ ...parts, folder });
  const load = next.api.send("PUT", "snapshot/load", {
    snapshot_path: files.state,
    mem_backend: { backend_type: "File", backend_path: files.memory },
    resume_vm: true,
  });
  await giveUpOnError(next.program, load);
  return machineOf({ ...parts, ...next });
}
