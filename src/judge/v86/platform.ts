/**
 * Runs a guest in v86, with the reference device on its PCI bus. The device's clock goes on while
 * the guest's processor waits, by real milliseconds: outside of that, driver and device take turns.
 */
import { createDevice, type Device, profiles } from "../../device/index.ts";
import { type Board, launchV86, type V86Vmm, VmmError } from "../../vmm/index.ts";
import type { DeviceChoice } from "../in-process/platform.ts";
import { GuestLost, type JudgedGuest, type Platform, type SystemActions } from "../platform.ts";
import { halfWords } from "./half-words.ts";

/** What the platform boots. */
export interface InV86Options {
  /** A Multiboot image: its path or its bytes. */
  readonly image: string | Uint8Array;
  /** The guest's command line. */
  readonly append?: string;
  readonly memoryBytes: number;
  readonly device: DeviceChoice;
  /** What the system around the driver can be asked to do. Default: nothing. */
  system?(vmm: V86Vmm): SystemActions;
}

/** I/O and memory, in the command register of a PCI function. */
const PCI_DECODE = 3;

const PAGE_BYTES = 4096;
const STATUS_DRIVER_OK = 4;

/** How often the device's clock is moved, and the guest looked at, in ms. */
const TICK_MS = 2;

/** Quiet time after which a guest is at rest: longer than a driver's retries, in ms. */
const QUIET_MS = 150;

/** Time for a driver to come up, and for a guest to come to rest, in ms. */
const COME_UP_MS = 60_000;
const REST_MS = 60_000;

/** Returns the platform that boots this image in v86 for each scenario. */
export function inV86(options: InV86Options): Platform {
  return {
    name: "v86",
    async start({ device, signal }) {
      const { image, append = "", memoryBytes, device: choice } = options;
      let made: { readonly board: Board; readonly device: Device } | undefined;
      const plug = (board: Board) => {
        const one = createDevice({
          ...choice,
          ...device,
          offer: { ...choice.offer, ...device.offer },
          memory: board.memory,
          pci: assigned(choice),
          subject: "system",
          interrupts: { onLine: (up) => board.line(up) },
        });
        made = { board, device: one };
        const { pci } = one;
        return {
          config: pci.config,
          get bars() {
            return pci.bars;
          },
          read: pci.read.bind(pci),
          write: pci.write.bind(pci),
          isHalfWord: halfWords(pci),
        };
      };
      const launch = { image, append, memoryBytes, balloon: false, plug, signal };
      const vmm = await launchV86(launch);
      if (made === undefined) throw new Error("v86 made no machine");
      const guest = new V86Guest({ ...made, vmm, signal, system: options.system?.(vmm) ?? {} });
      await guest.comeUp();
      return guest;
    },
  };
}

/** v86 has no firmware here: the BARs lie where the profile's machine has them, and answer. */
function assigned({ profile = "strict" }: DeviceChoice) {
  const { bars } = (typeof profile === "string" ? profiles[profile] : profile).pci;
  return { bars, command: PCI_DECODE };
}

interface V86GuestParts {
  readonly vmm: V86Vmm;
  readonly board: Board;
  readonly device: Device;
  readonly system: SystemActions;
  readonly signal: AbortSignal;
}

class V86Guest implements JudgedGuest {
  readonly device: Device;
  readonly pages: number;
  readonly system: SystemActions;
  private readonly vmm: V86Vmm;
  private readonly board: Board;
  private readonly signal: AbortSignal;
  private readonly ticks: NodeJS.Timeout;
  private lastMs = performance.now();
  private ended = false;

  constructor({ vmm, board, device, system, signal }: V86GuestParts) {
    this.vmm = vmm;
    this.board = board;
    this.device = device;
    this.signal = signal;
    this.pages = vmm.memoryBytes / PAGE_BYTES;
    this.system = Object.fromEntries(
      Object.entries(system).map(([name, act]) => [
        name,
        (...given: never[]) => this.act(act, given),
      ]),
    );
    this.ticks = setInterval(() => this.tick(), TICK_MS);
    void vmm.exited.then(() => {
      this.ended = true;
    });
  }

  /** Waits until the driver is up, or has had its time. */
  async comeUp(): Promise<void> {
    await this.until(() => (this.device.status & STATUS_DRIVER_OK) !== 0, COME_UP_MS).catch(
      (error: unknown) => {
        // What is wrong shows in the scenario: the guest has ended, or its driver has not come.
        if (!(error instanceof GuestLost)) throw error;
      },
    );
  }

  async rest(): Promise<void> {
    let quietSinceMs = performance.now();
    let accesses = -1;
    const isAtRest = () => {
      const { counters, idle, interruptPending } = this.device;
      const isQuiet = counters.accesses === accesses && idle && !interruptPending;
      accesses = counters.accesses;
      if (!isQuiet || !this.board.isHalted) quietSinceMs = performance.now();
      return performance.now() - quietSinceMs > QUIET_MS;
    };
    this.board.wake();
    if (await this.until(isAtRest, REST_MS)) return;
    throw new GuestLost("hung", `the guest did not come to rest within ${REST_MS / 1000} s`);
  }

  async pass(ms: number): Promise<void> {
    this.board.wake();
    const end = this.device.nowMs + ms;
    await this.until(() => this.device.nowMs >= end, REST_MS + ms);
  }

  async close(): Promise<void> {
    clearInterval(this.ticks);
    await this.vmm.kill();
  }

  /** Returns whether it came true in time. @throws GuestLost when the guest ends before. */
  private async until(isTrue: () => boolean, withinMs: number): Promise<boolean> {
    const deadline = performance.now() + withinMs;
    while (!isTrue()) {
      this.signal.throwIfAborted();
      if (this.ended) throw new GuestLost("crashed", this.lastWords());
      if (performance.now() > deadline) return false;
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    return true;
  }

  /** Moves the device's clock, when the guest's processor waits. */
  private tick(): void {
    const nowMs = performance.now();
    const passedMs = nowMs - this.lastMs;
    this.lastMs = nowMs;
    if (this.ended || !this.board.isHalted) return;
    this.device.advance(passedMs);
  }

  private async act(act: (...given: never[]) => Promise<unknown>, given: never[]) {
    try {
      return await act(...given);
    } catch (error) {
      if (error instanceof VmmError) throw new GuestLost("crashed", error.message);
      throw error;
    }
  }

  private lastWords(): string {
    return this.vmm.log.tail().slice(-2).join("; ") || "the guest ended without a word";
  }
}
