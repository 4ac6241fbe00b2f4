/**
 * Cloud Hypervisor as a host, by its API over a Unix socket (vmm/src/api/openapi of version 54).
 *
 * It has one serial port, here a socket, and asks for no statistics. What it shows is the memory
 * that is left to the guest.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { PAGE_BYTES } from "../../vmm/index.ts";
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
import { checkTransport } from "./transport.ts";
import { apiOf, connectTo, type UnixHttp } from "./unix-http.ts";

/** Returns Cloud Hypervisor as a host. Rejects with FailureError `missing` or `usage`. */
export async function cloudHypervisorHost(
  options: ProgramHostOptions = {},
): Promise<CheckHostSystem> {
  checkTransport("Cloud Hypervisor", options.transport, ["modern"]);
  const words = await programOf("cloud-hypervisor", options.program);
  return {
    name: "Cloud Hypervisor",
    arch: "x86_64",
    machine: "pci",
    settings: { transport: "modern" },
    control: "com1",
    can: [
      ...(["target", "shown", "pause", "snapshot", "resident", "reset"] as const),
      ...(["deflate-on-oom", "reporting"] as const),
    ],
    launch: async (launch) => {
      const folder = await makeFolder();
      const started = await start({ words, folder, launch });
      await giveUpOnError(started.program, boot(started, launch));
      return machineOf({ ...started, words, launch });
    },
  };
}

interface Started {
  readonly program: HostProgram;
  readonly api: UnixHttp;
}

interface Parts extends Started {
  readonly words: ProgramWords;
  readonly launch: HostLaunch;
}

async function start(parts: {
  readonly words: ProgramWords;
  readonly folder: string;
  readonly launch: HostLaunch;
}): Promise<Started> {
  const { words, folder, launch } = parts;
  const path = newPath(folder, "api");
  const args = ["--api-socket", path];
  const { signal } = launch;
  const program = new HostProgram({ words, args, folder, serial: "stream", signal });
  return { program, api: await apiOf(program, path, "/api/v1/") };
}

const serialPath = (folder: string) => join(folder, "serial.sock");

async function boot({ program, api }: Started, launch: HostLaunch): Promise<void> {
  const { image, append, memoryBytes, device = {} } = launch;
  await api.send("PUT", "vm.create", {
    payload: { kernel: image, cmdline: append },
    cpus: { boot_vcpus: 1, max_vcpus: 1 },
    memory: { size: memoryBytes },
    serial: { mode: "Socket", socket: serialPath(program.folder) },
    console: { mode: "Off" },
    balloon: {
      size: 0,
      deflate_on_oom: device.deflateOnOom ?? false,
      free_page_reporting: device.reporting ?? false,
    },
  });
  await api.send("PUT", "vm.boot");
  // It keeps what the guest has written before somebody connects.
  program.takeSerial(await connectTo(program, serialPath(program.folder)));
}

function machineOf(parts: Parts): CheckedMachine {
  const { program, api, launch } = parts;
  const hand: HostHand = {
    setTarget: (pages) => api.send("PUT", "vm.resize", { desired_balloon: pages * PAGE_BYTES }),
    shown: async () => {
      const left = await api.getNumber("vm.info", "memory_actual_size");
      return { actualPages: (launch.memoryBytes - left) / PAGE_BYTES };
    },
    pause: () => api.send("PUT", "vm.pause"),
    resume: () => api.send("PUT", "vm.resume"),
    reset: () => api.send("PUT", "vm.reboot"),
    residentBytes: () => program.residentBytes(),
    snapshot: () => snapshot(parts),
  };
  const { log, control } = program.serial;
  return { lines: log, ended: program.ended, kill: () => program.kill(), control, hand };
}

async function snapshot(parts: Parts): Promise<CheckedMachine> {
  const { program, api } = parts;
  const { folder } = program;
  const state = newPath(folder, "state");
  await mkdir(state);
  await api.send("PUT", "vm.pause");
  await api.send("PUT", "vm.snapshot", { destination_url: `file://${state}` });
  await program.kill({ keepFolder: true });
  // Left by the one that was killed; the next one wants to make it.
  await rm(serialPath(folder));
  const next = await start({ ...parts, folder });
  const goOn = async () => {
    await next.api.send("PUT", "vm.restore", { source_url: `file://${state}` });
    next.program.takeSerial(await connectTo(next.program, serialPath(folder)));
    await next.api.send("PUT", "vm.resume");
  };
  await giveUpOnError(next.program, goOn());
  return machineOf({ ...parts, ...next });
}
