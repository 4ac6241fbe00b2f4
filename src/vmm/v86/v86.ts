/**
 * Starts v86 in this process, and is the machine that it runs.
 *
 * v86 runs the guest in ticks from timers of its own. An error thrown there would be an uncaught
 * exception of the whole process, so every tick is wrapped: the machine ends, and `exited` says
 * why. As on QEMU, a write to port 0x501 ends the machine with the guest's exit code. After
 * `exited` no timer of the machine keeps Node alive.
 */

import type { V86 } from "v86";
import type { ControlPort } from "../../../runtime/abi.ts";
import { ControlClient } from "../control.ts";
import { type Deadline, waitFor } from "../deadline.ts";
import { tailPhrase } from "../errors.ts";
import { exitedError, noBalloonError } from "../exit.ts";
import { GuestLog } from "../log.ts";
import { checkAppend, checkMemory, EXIT_PORT, EXIT_PORT_BYTES } from "../machine.ts";
import { loadMultiboot, type Segment } from "../qemu/multiboot.ts";
import { SharedSerial } from "../shared-serial.ts";
import type { GuestExit, Snapshots, Vmm } from "../vmm.ts";
import { V86Balloon } from "./balloon.ts";
import { Board, type BoardFunction } from "./board.ts";
import { countSignals, type V86Counters } from "./counters.ts";
import { compileV86, V86Engine } from "./engine.ts";
import { checkCpu, checkLoop, clearEmptyBars, type V86Insides, type V86Loop } from "./internals.ts";

const LAUNCH_MS = 20_000;
const POWER_MS = 10_000;
/** v86 counts memory in blocks of 128 KiB, in a signed 32-bit number. */
const MEMORY_GRANULE_BYTES = 128 * 1024;
const MAX_MEMORY_BYTES = 2 ** 31 - MEMORY_GRANULE_BYTES;
/** The least that v86 has: its 8 MiB would stand in each saved state, and nobody draws. */
const VGA_BYTES = 256 * 1024;
/** The port of v86's own exit device. */
const V86_EXIT_PORT = 0xf4;
/** QEMU's isa-debug-exit keeps the lower seven bits of a byte. */
const EXIT_CODE_MASK = 0x7f;
/** v86 counts its serial ports from 0. */
const UART = { com1: 0, com2: 1 } as const;

/** What `launchV86` is given: the machine, and how long the launch may take. */
export interface LaunchV86Options extends Deadline {
  /** A Multiboot ELF32: its path or its bytes. */
  readonly image: string | Uint8Array;
  /** A multiple of 128 KiB from 1 MiB up to less than 2 GiB. */
  readonly memoryBytes: number;
  /** The guest's command line. */
  readonly append?: string;
  /** Default: true. */
  readonly balloon?: boolean;
  /**
   * `com1`: the machine has one serial port, for log and control channel; the guest then takes it
   * by itself. Default: `com2`, a second port for the control channel.
   */
  readonly control?: ControlPort;
  /**
   * Called before the guest's first instruction: returns a function for the PCI bus, where v86's
   * own balloon would be. `balloon` has to be false.
   */
  readonly plug?: Plug;
  /**
   * v86's own WebAssembly module, `v86/build/v86.wasm`. Default: read from the package, which a
   * page cannot do.
   */
  readonly engine?: WebAssembly.Module;
  /** Leave the guest stopped before its first instruction, until `resume()`. */
  readonly paused?: boolean;
}

type Plug = (board: Board) => BoardFunction;

/**
 * Starts v86 and, unless `paused`, the guest; resolves when the guest runs. `signal` and
 * `timeoutMs` (default: 20 s) bound the launch, not the run.
 * Rejects with `option`, `image`, `v86-internals`, `exited-early` or `timeout`.
 */
export async function launchV86(options: LaunchV86Options): Promise<V86Vmm> {
  checkMemory({
    memoryBytes: options.memoryBytes,
    granuleBytes: MEMORY_GRANULE_BYTES,
    maxBytes: MAX_MEMORY_BYTES,
  });
  checkAppend(options.append ?? "");
  const { image, segments } = await loadMultiboot(options);
  const { V86 } = await import("v86");
  const wasm = options.engine ?? (await compileV86());
  options.signal?.throwIfAborted();
  const engine = new V86Engine(wasm);
  const settings = {
    memory_size: options.memoryBytes,
    multiboot: { buffer: image.buffer },
    cmdline: options.append ?? "",
    virtio_balloon: options.balloon !== false,
    uart1: options.control !== "com1",
    vga_memory_size: VGA_BYTES,
    autostart: false,
    disable_keyboard: true,
    disable_mouse: true,
    disable_speaker: true,
    wasm_fn: engine.instantiate,
  };
  const emulator = new V86(settings);
  const vmm = new V86Vmm({
    emulator,
    engine,
    segments,
    memoryBytes: options.memoryBytes,
    hasBalloon: settings.virtio_balloon,
    plug: options.plug,
    control: options.control ?? "com2",
  });
  try {
    await vmm.start({ signal: options.signal, timeoutMs: options.timeoutMs });
    if (!options.paused) await vmm.resume();
    return vmm;
  } catch (error) {
    await vmm.kill();
    throw error;
  }
}

interface V86VmmParts {
  readonly emulator: V86;
  readonly engine: V86Engine;
  readonly segments: readonly Segment[];
  readonly memoryBytes: number;
  readonly hasBalloon: boolean;
  readonly plug: Plug | undefined;
  readonly control: ControlPort;
}

/** Thrown by our exit port, to leave v86's loop. */
class GuestWroteExitCode {}

/** A machine run by v86; made by `launchV86`. */
export class V86Vmm implements Vmm {
  readonly kind = "v86";
  readonly memoryBytes: number;
  readonly hasBalloon: boolean;
  readonly log = new GuestLog();
  readonly control: ControlClient;
  readonly snapshots: Snapshots;
  readonly exited: Promise<GuestExit>;
  private counted: V86Counters = { notifications: 0, interrupts: 0 };
  private readonly emulator: V86 & V86Insides;
  private readonly engine: V86Engine;
  private readonly segments: readonly Segment[];
  private readonly plug: Plug | undefined;
  private readonly com1: SharedSerial;
  private readonly device: V86Balloon;
  private readonly endListeners = new Set<(reason: Error) => void>();
  private resolveExited: (exit: GuestExit) => void = () => {};
  private ended: Error | undefined;
  private guestExitCode: number | undefined;
  private halted = false;

  constructor({ emulator, engine, segments, memoryBytes, hasBalloon, plug, control }: V86VmmParts) {
    this.emulator = emulator as V86 & V86Insides;
    this.engine = engine;
    this.segments = segments;
    this.plug = plug;
    this.memoryBytes = memoryBytes;
    this.hasBalloon = hasBalloon;
    this.exited = new Promise((resolve) => {
      this.resolveExited = resolve;
    });
    this.control = new ControlClient({
      send: (bytes) => emulator.serial_send_bytes(UART[control], bytes),
      logTail: () => this.log.tail(),
    });
    const device = () => {
      const balloon = this.living().cpu.devices.virtio_balloon;
      if (balloon === undefined) throw noBalloonError();
      return balloon;
    };
    this.device = new V86Balloon({
      device,
      memoryBytes,
      describeLog: () => tailPhrase(this.log.tail()),
      onEnd: (ended) => {
        this.endListeners.add(ended);
        return () => this.endListeners.delete(ended);
      },
    });
    this.snapshots = {
      save: (options = {}) => this.save(options),
      restore: (options) => this.restore(options),
    };
    this.com1 = new SharedSerial({
      onLog: (bytes) => this.log.push(bytes),
      onControl: (bytes) => this.control.receive(bytes),
    });
    emulator.add_listener("serial0-output-byte", (byte) => {
      const bytes = Uint8Array.of(byte);
      if (control === "com1") this.com1.push(bytes);
      else this.log.push(bytes);
    });
    emulator.add_listener("serial1-output-byte", (byte) =>
      this.control.receive(Uint8Array.of(byte)),
    );
  }

  get balloon(): V86Balloon {
    if (!this.hasBalloon) throw noBalloonError();
    return this.device;
  }

  /** For `launchV86`: waits until the machine is built, and wraps its loop. */
  start(deadline: Deadline): Promise<void> {
    const emulator = this.emulator;
    return waitFor<void>({
      what: "v86's start",
      deadline,
      defaultMs: LAUNCH_MS,
      begin: (started, failed) => {
        // v86 calls this from timers of its own, where nothing catches an error.
        const proceed = emulator.continue_init.bind(emulator);
        emulator.continue_init = async (loop, options) => {
          if (this.ended !== undefined) return; // Given up meanwhile.
          try {
            checkLoop(loop);
            this.guard({ loop, failed });
            await proceed(loop, options);
          } catch (error) {
            failed(error);
          }
        };
        this.engine.onFailure = failed;
        emulator.add_listener("emulator-loaded", () => started());
        this.endListeners.add(failed);
        return () => this.endListeners.delete(failed);
      },
    });
  }

  /** Kicks and interrupts of v86's own balloon since the launch. */
  get counters(): V86Counters {
    return this.counted;
  }

  /**
   * The guest's memory, for who looks without asking the guest. Ask for it anew each time: it moves
   * when v86's own memory grows.
   * @throws VmmError `exited` when the machine has ended.
   */
  memory(): Uint8Array {
    return this.living().cpu.mem8;
  }

  async residentBytes(): Promise<undefined> {
    return undefined; // The machine is a part of this process.
  }

  async cpuSeconds(): Promise<undefined> {
    return undefined;
  }

  async pause(options: Deadline = {}): Promise<void> {
    const loop = this.living();
    if (!loop.running) return;
    await waitFor<void>({
      what: "v86 to stop",
      deadline: options,
      defaultMs: POWER_MS,
      begin: (resolve, reject) => {
        this.emulator.stop().then(resolve, reject);
        loop.next_tick(0); // An idle guest would notice only at its next timer.
        this.endListeners.add(reject);
        return () => this.endListeners.delete(reject);
      },
    });
  }

  async resume(options: Deadline = {}): Promise<void> {
    options.signal?.throwIfAborted();
    this.living();
    await this.emulator.run();
  }

  /**
   * Resets the CPU and the balloon device and loads the image again. The rest of memory stays, as
   * on other machines.
   */
  async reset(options: Deadline = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const loop = this.living();
    const { cpu } = loop;
    this.emulator.restart();
    this.com1.cut();
    cpu.devices.virtio_balloon?.virtio.reset();
    // Without a BIOS v86's restart leaves the CPU empty, and its loader does not clear .bss.
    for (const { physicalAddress, fileBytes, memoryBytes } of this.segments) {
      cpu.write_blob(new Uint8Array(memoryBytes - fileBytes), physicalAddress + fileBytes);
    }
    cpu.reg32[0] = cpu.io.port_read32(V86_EXIT_PORT);
    if (loop.running) loop.next_tick(0);
  }

  async kill(): Promise<GuestExit> {
    this.end({ reason: "killed" });
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  private async save(options: Deadline): Promise<ArrayBuffer> {
    options.signal?.throwIfAborted();
    this.living();
    return this.emulator.save_state();
  }

  private async restore({ state, ...options }: { state: ArrayBuffer } & Deadline): Promise<void> {
    options.signal?.throwIfAborted();
    const loop = this.living();
    await this.emulator.restore_state(state);
    if (loop.running) loop.next_tick(0);
  }

  /** Returns the loop. @throws VmmError `exited` when the machine has ended. */
  private living(): V86Loop {
    if (this.ended !== undefined) throw this.ended;
    return this.emulator.v86;
  }

  private guard({ loop, failed }: { loop: V86Loop; failed: (error: unknown) => void }): void {
    const init = loop.init.bind(loop);
    loop.init = (settings) => {
      try {
        init(settings);
        checkCpu({ cpu: loop.cpu, balloon: this.hasBalloon });
        clearEmptyBars(loop);
        this.addExitPorts(loop);
        const balloon = loop.cpu.devices.virtio_balloon;
        if (balloon !== undefined) this.counted = countSignals(loop, balloon);
        if (this.plug !== undefined) new Board(loop, this.engine.clock).plug(this.plug);
        this.emulator.add_listener("cpu-event-halt" as "emulator-stopped", () => {
          this.halted = true;
        });
      } catch (error) {
        failed(error);
      }
    };
    const tick = loop.do_tick.bind(loop);
    loop.do_tick = () => {
      if (this.ended !== undefined) return;
      try {
        tick();
        if (this.halted) this.end({ reason: "halted" });
      } catch (error) {
        if (error instanceof GuestWroteExitCode) this.end({ reason: "guest" });
        else this.end({ reason: "failed", error: describeThrown(error) });
      }
    };
  }

  private addExitPorts({ cpu }: V86Loop): void {
    const exit = (value: number): never => {
      this.guestExitCode = value & EXIT_CODE_MASK;
      throw new GuestWroteExitCode();
    };
    const none = (): number => 0;
    for (let port = EXIT_PORT; port < EXIT_PORT + EXIT_PORT_BYTES; port += 1) {
      cpu.io.register_read(port, this, none, none, none);
      cpu.io.register_write(port, this, exit, exit, exit);
    }
    cpu.io.register_write(V86_EXIT_PORT, this, exit, exit, exit);
  }

  private end({ reason, error = "" }: { reason: GuestExit["reason"]; error?: string }): void {
    if (this.ended !== undefined) return;
    const exit: GuestExit = {
      reason,
      ...(reason === "guest" ? { guestExitCode: this.guestExitCode ?? 0 } : {}),
      code: null,
      signal: null,
      complaint: `${this.engine.panic}${error}`.trim(),
    };
    this.com1.cut();
    this.ended = exitedError({ exit, log: this.log });
    const emulator = this.emulator;
    const loop: V86Loop | undefined = emulator.v86;
    if (loop !== undefined) {
      loop.tick_counter += 1; // Ticks already asked for compare this number, and do nothing.
      loop.next_tick = () => {};
      loop.running = false;
    }
    this.log.close(this.ended);
    this.control.close(this.ended);
    const listeners = [...this.endListeners];
    this.endListeners.clear();
    for (const listener of listeners) listener(this.ended);
    const resolve = (): void => this.resolveExited(exit);
    this.release().then(resolve, resolve);
  }

  /** Destroys the emulator, unless it was given up before v86 had built the machine. */
  private async release(): Promise<void> {
    const emulator = this.emulator;
    if (emulator.v86 === undefined) return;
    // destroy() waits for the end of a run that, as far as v86 knows, may still be going on.
    emulator.emulator_bus.send("emulator-stopped");
    await emulator.destroy();
  }
}

function describeThrown(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
