/**
 * Runs Linux in QEMU on the reference device. The system goes on from one scenario to the next: the
 * device is taken from it and a new one is found, which costs a second where a boot takes ten.
 */
import { FailureError } from "../../failure.ts";
import { VmmError } from "../../vmm/index.ts";
import { Agent } from "../agent/agent.ts";
import { initramfs, type KernelModule } from "../agent/initramfs.ts";
import type { Kernel } from "../agent/kernel.ts";
import { linuxAgent } from "../agent/program.ts";
import type { DeviceChoice } from "../device-options.ts";
import {
  GuestLost,
  type JudgedGuest,
  type Platform,
  type ScenarioDevice,
  type SystemActions,
} from "../platform.ts";
import { QemuGuest } from "./guest.ts";
import {
  DEVICE_ADDRESS,
  type HostParts,
  type MakeDevice,
  QemuHost,
  renewing,
  servedDevice,
} from "./host.ts";

/** What the platform is made of. */
export interface LinuxInQemuOptions
  extends Omit<HostParts, "image" | "vectors" | "signal" | "initramfs"> {
  readonly kernel: Kernel;
  readonly modules: readonly KernelModule[];
  readonly device: DeviceChoice;
  /** Milliseconds in which a guest must come to rest. Default 60,000. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 60_000;

/** Output for the log, an end at a panic, and no doubts about clocks on a busy host. */
const APPEND = "console=ttyS0 loglevel=5 panic=-1 no_timer_check tsc=reliable mitigations=off";
const READY = /agent: (?:ready|no second serial port)/;
const BOOT_MS = 120_000;

/** A driver that does not let go of its device in this time is left to itself. */
const REMOVE_MS = 10_000;

const STATUS_DRIVER_OK = 4;
const STATUS_ENDED = 0xc0;

/** Runs guests of QEMU, one after the other. `end` must be called at the end. */
export class LinuxInQemu implements Platform {
  readonly name = "qemu";
  private readonly options: LinuxInQemuOptions;
  private host: QemuHost | undefined;

  constructor(options: LinuxInQemuOptions) {
    this.options = options;
  }

  async start(parts: {
    readonly device: ScenarioDevice;
    readonly signal: AbortSignal;
  }): Promise<JudgedGuest> {
    const { signal } = parts;
    const make = servedDevice(this.options.device, parts.device);
    const host = (await this.goOn(make, signal)) ?? (await this.bootFor(parts.device, signal));
    const { timeoutMs = TIMEOUT_MS } = this.options;
    const renew = renewing(host, this.options.device);
    const system = this.actions(host, { signal, timeoutMs });
    const guest = new QemuGuest({ host, renew, system, signal, timeoutMs, goesOn: true });
    await guest.comeUp();
    return guest;
  }

  /** Ends the machine that is running. */
  async end(): Promise<void> {
    const { host } = this;
    this.host = undefined;
    await host?.end();
  }

  /** A driver that a fault stops in its start keeps the system from coming up: it comes later. */
  private async bootFor(device: ScenarioDevice, signal: AbortSignal): Promise<QemuHost> {
    const make = servedDevice(this.options.device, device);
    if (device.faults === undefined) return this.boot(make, signal);
    const { faults, ...sound } = device;
    await this.boot(servedDevice(this.options.device, sound), signal);
    const host = await this.goOn(make, signal);
    if (host !== undefined) return host;
    throw new FailureError({
      kind: "guest",
      what: `kernel ${this.options.kernel.version}`,
      seen: "it does not let go of a device that works",
      todo: "remove the balloon in the guest by hand, to see why",
    });
  }

  private async boot(make: MakeDevice, signal: AbortSignal): Promise<QemuHost> {
    const { kernel, modules, device, append } = this.options;
    const agent = await linuxAgent({ arch: kernel.arch, signal });
    const parts = {
      ...this.options,
      image: kernel.path,
      append: `${APPEND} ${append}`.trim(),
      vectors: device.vectors ?? 0,
      initramfs: initramfs(agent, modules),
      signal,
    };
    const host = await QemuHost.start(parts, make);
    // From here on `end` ends it.
    this.host = host;
    await awaitAgent(host, signal);
    const asked = new Agent(host.vmm.control, { signal });
    if (await host.run(() => asked.hasDriver())) return host;
    const complaint = host.vmm.log.lines.find((line) => line.includes("agent: module"));
    throw new FailureError({
      kind: "missing",
      what: `kernel ${kernel.version}`,
      seen: complaint ?? "no driver for a virtio balloon in it",
      todo: "give the folder of this kernel's modules with --modules",
    });
  }

  /** The machine of the last scenario, with a new device; undefined where it cannot go on. */
  private async goOn(make: MakeDevice, signal: AbortSignal): Promise<QemuHost | undefined> {
    const { host } = this;
    if (host === undefined) return undefined;
    const agent = new Agent(host.vmm.control, { signal, timeoutMs: REMOVE_MS });
    const { status } = host.device;
    const isUp = (status & STATUS_DRIVER_OK) !== 0 && (status & STATUS_ENDED) === 0;
    try {
      if (!isUp) throw new GuestLost("hung", "the driver is not up");
      await host.run(() => agent.remove(DEVICE_ADDRESS));
      host.renewDevice(make);
      // One that does not come back waits in its driver: the scenario finds the same.
      await host.run(() => agent.rescan()).catch(unlessSilent);
      return host;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof GuestLost) && !(error instanceof VmmError)) throw error;
      await this.end();
      return undefined;
    }
  }

  private actions(
    host: QemuHost,
    limits: { readonly signal: AbortSignal; readonly timeoutMs: number },
  ): SystemActions {
    const agent = new Agent(host.vmm.control, limits);
    return {
      ...agent.actions(),
      remove: () => agent.remove(DEVICE_ADDRESS),
      rescan: () => agent.rescan(),
      suspend: () => suspend(host, agent, limits),
    };
  }
}

function unlessSilent(error: unknown): void {
  if (!(error instanceof VmmError) || error.code !== "timeout") throw error;
}

async function suspend(
  { vmm }: QemuHost,
  agent: Agent,
  limits: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<void> {
  const asleep = vmm.qmp.waitForEvent({ name: "SUSPEND", ...limits });
  const awake = agent.suspend();
  // Whichever fails first is the one that counts.
  awake.catch(() => {});
  await Promise.race([asleep, awake.then(() => asleep)]);
  await vmm.execute({ command: "system_wakeup", signal: limits.signal });
  await awake;
}

/** @throws FailureError unless the kernel runs the agent. */
async function awaitAgent(host: QemuHost, signal: AbortSignal): Promise<void> {
  const { log } = host.vmm;
  const { text } = await host
    .run(() => log.waitForLine({ pattern: READY, timeoutMs: BOOT_MS, signal }))
    .catch((error: unknown) => {
      const isLate = error instanceof VmmError && error.code === "timeout";
      if (!isLate && !(error instanceof GuestLost)) throw error;
      throw new FailureError({
        kind: "missing",
        what: "the kernel",
        seen: isLate ? error.seen : error.message,
        todo: "give a kernel that boots in QEMU with a first program in its initramfs",
      });
    });
  if (text.includes("ready")) return;
  throw new FailureError({
    kind: "missing",
    what: "the kernel",
    seen: "no second serial port in the guest",
    todo: "give a kernel with the driver 8250 for serial ports",
  });
}
