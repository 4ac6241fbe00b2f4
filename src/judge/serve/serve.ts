/**
 * Offers the reference device to any client of vfio-user, and leads the driver behind it through
 * one scenario.
 *
 *   client: guest, driver              this process: scenario
 *        |                                               |
 *        +--- SOCKET --- relay --- server --- device ----+
 *        '--- SOCKET.memory, which the client maps ---'
 *
 * Clients are anybody's: one that breaks the protocol or stays silent is cut off, and the next one
 * is waited for. The first that accesses the device is judged, until it leaves.
 */
import { mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FailureError } from "../../failure.ts";
import { formatBytes } from "../../text/units.ts";
import { type DeviceChoice, settingsOf } from "../device-options.ts";
import { judge, runScenario, scenariosNamed } from "../judge.ts";
import type { JudgeReport } from "../judge-report.ts";
import { expectMachine } from "../machine-limits.ts";
import type { Platform } from "../platform.ts";
import { servedDevice } from "../qemu/host.ts";
import { LeftOut, type Scenario } from "../scenario.ts";
import { DeviceSocket, type MakeDevice } from "../vfio-user/device-socket.ts";
import { FileMemory } from "../vfio-user/file-memory.ts";
import { ServedGuest } from "./served-guest.ts";

/** What `serveDevice` is asked for. */
export interface ServeDeviceOptions {
  /**
   * Path of the socket. The guest's memory is a file beside it, with `.memory` behind its name.
   * Both are made, are their owner's alone, and are gone at the end.
   */
  readonly socket: string;
  readonly device: DeviceChoice & { readonly profile: string; readonly transport: string };
  /** Bytes of the guest's memory, 64 MiB to 2 GiB. Default 512 MiB. */
  readonly memoryBytes?: number | undefined;
  /** The scenario. Default `targets`. Those that ask something of the system are left out. */
  readonly scenario?: string | undefined;
  /** Milliseconds in which the driver must come, and later come to rest. Default 60,000. */
  readonly timeoutMs?: number | undefined;
  /** Milliseconds after which a client that has not accessed the device is cut off. 10,000. */
  readonly silentMs?: number | undefined;
  /** Ends the serving; what was seen until then is judged. */
  readonly signal?: AbortSignal;
  /** Called at each step with what it is about (`serve`, `client`, `driver`) and what happens. */
  onStep?(about: string, text: string): void;
}

const MIB = 2 ** 20;
const MEMORY_BYTES = 512 * MIB;
const TIMEOUT_MS = 60_000;
/** How often is looked whether a client has come. */
const LOOK_MS = 10;
const SILENT_MS = 10_000;
/** Nobody knows the name of a client's driver. */
const DRIVER = "a guest's driver";

/**
 * Serves the device until its client leaves or the signal comes. Returns the report.
 *
 * @throws FailureError `usage` for options that make no sense, `missing` for files that cannot be
 *   made; ImageError where there is no C compiler; the signal's reason when no client has come.
 */
export async function serveDevice(options: ServeDeviceOptions): Promise<JudgeReport> {
  const { device, memoryBytes = MEMORY_BYTES, scenario = "targets" } = options;
  expectMachine(device.transport, memoryBytes);
  const [found] = scenariosNamed([scenario]);
  const served = await ServedDevice.open(options, memoryBytes);
  try {
    return await judge({
      driver: DRIVER,
      platform: "vfio-user",
      profile: device.profile,
      transport: device.transport,
      settings: { ...settingsOf(device), memory: formatBytes(memoryBytes) },
      scenarios: found && [found.name],
      run: (one) => runScenario(served, untilGone(one, served)),
    });
  } finally {
    await served.close();
  }
}

/** The scenario, and after it the time until the client leaves. */
function untilGone(scenario: Scenario, served: ServedDevice): Scenario {
  return {
    ...scenario,
    run: async (guest) => {
      const leftOut = await scenario.run(guest).then(
        () => undefined,
        (error: unknown) => {
          if (error instanceof LeftOut) return error;
          throw error;
        },
      );
      await served.untilGone(`${scenario.name} ${leftOut ? "cannot be run" : "is done"}`);
      if (leftOut !== undefined) throw leftOut;
    },
  };
}

/** Socket and memory, and the guest of the client that is judged. */
class ServedDevice implements Platform {
  readonly name = "vfio-user";
  private readonly options: ServeDeviceOptions;
  private readonly memory: FileMemory;
  private socket: DeviceSocket | undefined;
  private guest: ServedGuest | undefined;

  private constructor(options: ServeDeviceOptions, memory: FileMemory) {
    this.options = options;
    this.memory = memory;
  }

  static async open(options: ServeDeviceOptions, memoryBytes: number): Promise<ServedDevice> {
    const { socket } = options;
    await mkdir(dirname(socket), { recursive: true, mode: 0o700 });
    try {
      return new ServedDevice(options, new FileMemory(memoryPath(socket), memoryBytes));
    } catch (error) {
      throw new FailureError({
        kind: "missing",
        what: "the file for the guest's memory",
        seen: (error as Error).message,
        todo: "remove it, unless another process serves there, or name another socket",
      });
    }
  }

  /** Waits for a client that accesses the device, and for its driver. */
  async start({ device: own }: Parameters<Platform["start"]>[0]): Promise<ServedGuest> {
    const { device: choice, signal, timeoutMs = TIMEOUT_MS } = this.options;
    const { memory } = this;
    const make: MakeDevice = (interrupts) => servedDevice(choice, own)(memory, interrupts);
    const socket = await this.client(make);
    const step = this.step.bind(this);
    this.guest = new ServedGuest({ socket, memory, signal, timeoutMs, step });
    await this.guest.comeUp();
    return this.guest;
  }

  /** Waits until the client has left, with words for what it may still do. */
  async untilGone(what: string): Promise<void> {
    this.step("serve", `${what}; serving on until the client leaves`);
    await this.guest?.untilGone();
  }

  async close(): Promise<void> {
    await this.leave();
    this.memory.close();
    await rm(memoryPath(this.options.socket), { force: true });
  }

  /** Ends the client's connection and takes the socket away, if there is one of ours. */
  private async leave(): Promise<void> {
    const { socket } = this;
    if (socket === undefined) return;
    this.socket = undefined;
    await socket.close();
    await rm(this.options.socket, { force: true });
  }

  /** Serves one client after the other, until one accesses the device. */
  private async client(make: MakeDevice): Promise<DeviceSocket> {
    const { socket: path, device, signal, silentMs = SILENT_MS } = this.options;
    for (;;) {
      const socket = await DeviceSocket.open({
        ...{ path, make, vectors: device.vectors ?? 0 },
        ...(signal && { signal }),
        onPosted: () => this.step("client", POSTED),
      });
      this.socket = socket;
      this.step("serve", `${path}, memory ${memoryPath(path)} (${formatBytes(this.memory.bytes)})`);
      const why = await firstAccess(socket, silentMs, signal);
      if (why === undefined) return socket;
      await this.leave();
      signal?.throwIfAborted();
      this.step("client", `cut off: ${why}; waiting for another one`);
    }
  }

  private step(about: string, text: string): void {
    this.options.onStep?.(about, text);
  }
}

const POSTED =
  "its writes do not wait for the device (QEMU: x-no-posted-writes=on); verdicts about rings may " +
  "be false";

function memoryPath(socket: string): string {
  return `${socket}.memory`;
}

/** Returns undefined when the client has accessed the device, else why it is not served. */
async function firstAccess(
  socket: DeviceSocket,
  silentMs: number,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  let connectedMs: number | undefined;
  while (!signal?.aborted) {
    if (socket.accesses > 0) {
      socket.start();
      return undefined;
    }
    if (socket.ended !== undefined) return socket.ended;
    if (socket.isConnected) connectedMs ??= performance.now();
    if (performance.now() - (connectedMs ?? Number.POSITIVE_INFINITY) > silentMs) {
      return `no access to the device in ${silentMs / 1000} s`;
    }
    await sleep(LOOK_MS);
  }
  return "interrupted";
}
