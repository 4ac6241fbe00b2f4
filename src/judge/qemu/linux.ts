/**
 * Runs Linux in QEMU on the reference device. The system goes on from one scenario to the next: the
 * device is taken from it and a new one is found, which costs a second where a boot takes ten.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { createDevice, type Device } from "../../device/index.ts";
import { FailureError } from "../../failure.ts";
import { VmmError } from "../../vmm/index.ts";
import { Agent } from "../agent/agent.ts";
import { type DeviceChoice, deviceOptions } from "../device-options.ts";
import {
  GuestLost,
  type JudgedGuest,
  type PageUse,
  type Platform,
  type ScenarioDevice,
  type SystemActions,
} from "../platform.ts";
import { DEVICE_ADDRESS, type HostParts, type MakeDevice, QemuHost } from "./host.ts";

/** What the platform is made of. */
export interface QemuPlatformOptions extends Omit<HostParts, "vectors" | "signal"> {
  readonly device: DeviceChoice;
  /** Milliseconds in which a guest must come to rest. Default 60,000. */
  readonly timeoutMs?: number;
}

const PAGE_BYTES = 4096;
const TIMEOUT_MS = 60_000;

/** How often the guest is looked at while it comes to rest. */
const LOOK_MS = 25;

/** Without an access for so long, and its processor halted, the guest is at rest. */
const QUIET_MS = 200;

/** Looks in a row at a processor that is halted. */
const HALTED_LOOKS = 3;

/** Accesses without an effect for so long: the driver tries again and again what cannot be done. */
const NO_EFFECT_MS = 1500;

/** A driver that does not let go of its device in this time is left to itself. */
const REMOVE_MS = 10_000;

const STATUS_DRIVER_OK = 4;
const STATUS_ENDED = 0xc0;

/** Runs guests of QEMU, one after the other. `end` must be called at the end. */
export class QemuPlatform implements Platform {
  readonly name = "qemu";
  private readonly options: QemuPlatformOptions;
  private host: QemuHost | undefined;

  constructor(options: QemuPlatformOptions) {
    this.options = options;
  }

  async start(parts: {
    readonly device: ScenarioDevice;
    readonly signal: AbortSignal;
  }): Promise<JudgedGuest> {
    const { signal } = parts;
    const make = this.maker(parts.device);
    const host = (await this.goOn(make, signal)) ?? (await this.boot(make, signal));
    const { memoryBytes, timeoutMs = TIMEOUT_MS } = this.options;
    const pages = memoryBytes / PAGE_BYTES;
    const maker = (own: ScenarioDevice, incoming: Uint8Array) => this.maker(own, incoming);
    const guest = new QemuGuest({ host, signal, timeoutMs, pages, maker });
    await guest.comeUp();
    return guest;
  }

  /** Ends the machine that is running. */
  async end(): Promise<void> {
    const { host } = this;
    this.host = undefined;
    await host?.end();
  }

  private maker(device: ScenarioDevice, incoming?: Uint8Array): MakeDevice {
    const choice = this.options.device;
    return (memory, interrupts) =>
      createDevice({
        ...deviceOptions(choice, device),
        ...(incoming && { incoming }),
        memory,
        subject: "system",
        interrupts: withVectors(choice) ? interrupts : { onLine: (up) => interrupts.onLine?.(up) },
      });
  }

  private async boot(make: MakeDevice, signal: AbortSignal): Promise<QemuHost> {
    const { vectors = 0 } = this.options.device;
    const host = await QemuHost.boot({ ...this.options, vectors, signal }, make);
    this.host = host;
    const agent = new Agent(host.vmm.control, { signal });
    if (await host.run(() => agent.hasDriver())) return host;
    const complaint = host.vmm.log.lines.find((line) => line.includes("agent: module"));
    throw new FailureError({
      kind: "missing",
      what: `kernel ${this.options.kernel.version}`,
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
      await host.run(() => agent.rescan());
      return host;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof GuestLost) && !(error instanceof VmmError)) throw error;
      await this.end();
      return undefined;
    }
  }
}

function withVectors({ vectors = 0 }: DeviceChoice): boolean {
  return vectors > 0;
}

class QemuGuest implements JudgedGuest {
  readonly pages: number;
  readonly system: SystemActions;
  readonly left: Device[] = [];
  device: Device;
  private readonly maker: (own: ScenarioDevice, incoming: Uint8Array) => MakeDevice;
  private readonly host: QemuHost;
  private readonly signal: AbortSignal;
  private readonly timeoutMs: number;

  constructor(parts: {
    readonly host: QemuHost;
    readonly signal: AbortSignal;
    readonly timeoutMs: number;
    readonly pages: number;
    readonly maker: (own: ScenarioDevice, incoming: Uint8Array) => MakeDevice;
  }) {
    this.host = parts.host;
    this.maker = parts.maker;
    this.device = parts.host.device;
    this.signal = parts.signal;
    this.timeoutMs = parts.timeoutMs;
    this.pages = parts.pages;
    this.system = this.actions();
  }

  /** Gives the driver its time to come up. */
  async comeUp(): Promise<void> {
    await this.rest().catch((error: unknown) => {
      // The scenario finds the same, and tells of it.
      if (!(error instanceof GuestLost)) throw error;
    });
  }

  rest(): Promise<void> {
    return this.host.run(() => this.untilRest());
  }

  async pass(ms: number): Promise<void> {
    await this.host.run(() => sleep(ms, undefined, { signal: this.signal }));
  }

  async move(own: ScenarioDevice): Promise<void> {
    const { device } = this;
    this.device = this.host.renewDevice(this.maker(own, device.save({ memory: false })));
    this.left.push(device);
  }

  async close(): Promise<void> {
    // The system goes on to the next scenario; see `goOn`.
  }

  private async untilRest(): Promise<void> {
    const { host, signal } = this;
    const endMs = performance.now() + this.timeoutMs;
    let accesses = -1;
    let effect = "";
    let [quietMs, noEffectMs] = [0, 0];
    let halted = 0;
    while (performance.now() < endMs) {
      const nowMs = performance.now();
      if (host.accesses !== accesses) [quietMs, halted] = [nowMs, 0];
      const seen = this.effect();
      if (seen !== effect) noEffectMs = nowMs;
      accesses = host.accesses;
      effect = seen;
      if (nowMs - noEffectMs > NO_EFFECT_MS && this.device.idle) return;
      if (nowMs - quietMs > QUIET_MS && this.device.idle) {
        halted = (await host.isHalted()) ? halted + 1 : 0;
        if (halted >= HALTED_LOOKS) return;
      }
      await sleep(LOOK_MS, undefined, { signal });
    }
    throw new GuestLost("hung", `the guest does not come to rest in ${this.timeoutMs / 1000} s`);
  }

  /** What accesses can change, but for `actual` that is written anew. */
  private effect(): string {
    const { heldPages, inflatingPages, deflatingPages, actual, status, stats } = this.device;
    const { hinting, reportedPages } = this.device;
    const counted = [hinting.pages, hinting.starts, hinting.stops, reportedPages.buffers];
    const pages = [heldPages, inflatingPages, deflatingPages, actual];
    return [...pages, status, stats.samples, ...counted].join();
  }

  private actions(): SystemActions {
    const { host, signal } = this;
    const agent = new Agent(host.vmm.control, { signal, timeoutMs: this.timeoutMs });
    const running =
      <Arguments extends readonly unknown[], T>(work: (...args: Arguments) => Promise<T>) =>
      (...args: Arguments) =>
        host.run(() => work(...args)).catch(lostIfSilent);
    return {
      usePages: running((pages: number, how?: PageUse) => agent.usePages(pages, how)),
      dropPages: running(() => agent.dropPages()),
      unbind: running(() => agent.unbind()),
      bind: running(() => agent.bind()),
      unload: running(() => agent.unload()),
      load: running(() => agent.load()),
      remove: running(() => agent.remove(DEVICE_ADDRESS)),
      rescan: running(() => agent.rescan()),
      suspend: running(() => this.suspend(agent)),
    };
  }

  private async suspend(agent: Agent): Promise<void> {
    const { vmm } = this.host;
    const { signal, timeoutMs } = this;
    const asleep = vmm.qmp.waitForEvent({ name: "SUSPEND", signal, timeoutMs });
    const awake = agent.suspend();
    // Whichever fails first is the one that counts.
    awake.catch(() => {});
    await Promise.race([asleep, awake.then(() => asleep)]);
    await vmm.execute({ command: "system_wakeup", signal });
    await awake;
  }
}

/** A guest that does not answer a request is one that hangs. */
function lostIfSilent(error: unknown): never {
  if (error instanceof VmmError && error.code === "timeout") {
    throw new GuestLost("hung", error.seen);
  }
  throw error;
}
