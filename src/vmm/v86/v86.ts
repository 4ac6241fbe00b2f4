/**
 * Starts v86 in this process, and is the machine that it runs.
 *
 * This is the only file that imports v86. The balloon stands in v86-balloon.ts; what v86 does not
 * promise, in v86-internals.ts.
 *
 * v86 runs the guest in ticks from timers of its own. An error thrown there would be an uncaught
 * exception of the whole process, so every tick is wrapped: the machine ends, and `exited` says
 * why. As on QEMU, a write to port 0x501 ends the machine with the guest's exit code.
 *
 * Invariant: after `exited` no timer, listener or tick of this machine is left to keep Node alive.
 */

import type { V86 } from "v86";
import { ControlClient } from "../control.ts";
import { type Patience, waitFor } from "../deadline.ts";
import { tailPhrase, VmmError } from "../errors.ts";
import { exitedError, noBalloonError } from "../exit.ts";
import { GuestLog } from "../log.ts";
import { checkAppend, EXIT_PORT, EXIT_PORT_BYTES } from "../qemu/arguments.ts";
import { loadMultiboot, type Segment } from "../qemu/multiboot.ts";
import type { GuestExit, Snapshots, Vmm } from "../vmm.ts";
import { V86Balloon } from "./balloon.ts";
import { compileV86, V86Engine } from "./engine.ts";
import { checkCpu, checkLoop, clearEmptyBars, type V86Insides, type V86Loop } from "./internals.ts";

const LAUNCH_MS = 20_000;
const POWER_MS = 10_000;
const MIN_MEMORY_BYTES = 1024 * 1024;
/** v86 counts memory in blocks of 128 KiB and with a signed 32-bit number. */
const MEMORY_GRANULE_BYTES = 128 * 1024;
const MAX_MEMORY_BYTES = 2 ** 31 - MEMORY_GRANULE_BYTES;
/** Where v86's own exit device is, for guests written for it. */
const V86_EXIT_PORT = 0xf4;
/** isa-debug-exit passes a byte's lower seven bits on; so do we. */
const EXIT_CODE_MASK = 0x7f;
const COM2 = 1;

export interface LaunchV86Options extends Patience {
  /** A Multiboot ELF32: its path or its bytes. */
  readonly image: string | Uint8Array;
  /** A multiple of 128 KiB from 1 MiB up to less than 2 GiB. */
  readonly memoryBytes: number;
  /** The guest's command line. */
  readonly append?: string;
  /** Default: true. */
  readonly balloon?: boolean;
  /** Leave the guest stopped before its first instruction, until `resume()`. */
  readonly paused?: boolean;
}

/**
 * Starts v86 and, unless `paused`, the guest; resolves when the guest runs. `signal` and
 * `timeoutMs` (default: 20 s) bound the launch, not the run.
 * Rejects with `option`, `image`, `v86-internals`, `exited-early` or `timeout`.
 */
export async function launchV86(options: LaunchV86Options): Promise<V86Vmm> {
  checkMemory(options.memoryBytes);
  checkAppend(options.append ?? "");
  const { image, segments } = await loadMultiboot(options);
  const [{ V86 }, wasm] = await Promise.all([import("v86"), compileV86()]);
  options.signal?.throwIfAborted();
  const engine = new V86Engine(wasm);
  const settings = {
    memory_size: options.memoryBytes,
    multiboot: { buffer: image.buffer },
    cmdline: options.append ?? "",
    virtio_balloon: options.balloon !== false,
    uart1: true,
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
}

/** Thrown through v86's loop by our exit port, to leave it. */
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
  readonly #emulator: V86 & V86Insides;
  readonly #engine: V86Engine;
  readonly #segments: readonly Segment[];
  readonly #balloon: V86Balloon;
  readonly #endListeners = new Set<(reason: Error) => void>();
  #resolveExited: (exit: GuestExit) => void = () => {};
  #ended: Error | undefined;
  #guestExitCode: number | undefined;
  #halted = false;

  constructor({ emulator, engine, segments, memoryBytes, hasBalloon }: V86VmmParts) {
    this.#emulator = emulator as V86 & V86Insides;
    this.#engine = engine;
    this.#segments = segments;
    this.memoryBytes = memoryBytes;
    this.hasBalloon = hasBalloon;
    this.exited = new Promise((resolve) => {
      this.#resolveExited = resolve;
    });
    this.control = new ControlClient({
      send: (bytes) => emulator.serial_send_bytes(COM2, bytes),
      logTail: () => this.log.tail(),
    });
    const device = () => {
      const balloon = this.#living().cpu.devices.virtio_balloon;
      if (balloon === undefined) throw noBalloonError();
      return balloon;
    };
    this.#balloon = new V86Balloon({
      device,
      memoryBytes,
      describeLog: () => tailPhrase(this.log.tail()),
      onEnd: (ended) => {
        this.#endListeners.add(ended);
        return () => this.#endListeners.delete(ended);
      },
    });
    this.snapshots = {
      save: (options = {}) => this.#save(options),
      restore: (options) => this.#restore(options),
    };
    emulator.add_listener("serial0-output-byte", (byte) => this.log.push(Uint8Array.of(byte)));
    emulator.add_listener("serial1-output-byte", (byte) =>
      this.control.receive(Uint8Array.of(byte)),
    );
  }

  get balloon(): V86Balloon {
    if (!this.hasBalloon) throw noBalloonError();
    return this.#balloon;
  }

  /** For `launchV86`: waits until the machine is built, and takes hold of its loop. */
  start(patience: Patience): Promise<void> {
    const emulator = this.#emulator;
    return waitFor<void>({
      what: "v86's start",
      patience,
      defaultMs: LAUNCH_MS,
      begin: (started, failed) => {
        // v86 does this from timers and promises of its own, where an error would be nobody's.
        const proceed = emulator.continue_init.bind(emulator);
        emulator.continue_init = async (loop, options) => {
          if (this.#ended !== undefined) return; // Given up meanwhile.
          try {
            checkLoop(loop);
            this.#guard({ loop, failed });
            await proceed(loop, options);
          } catch (error) {
            failed(error);
          }
        };
        this.#engine.onFailure = failed;
        emulator.add_listener("emulator-loaded", () => started());
        this.#endListeners.add(failed);
        return () => this.#endListeners.delete(failed);
      },
    });
  }

  async residentBytes(): Promise<undefined> {
    return undefined; // The machine is a part of this process; nobody can tell the parts apart.
  }

  async cpuSeconds(): Promise<undefined> {
    return undefined;
  }

  async pause(options: Patience = {}): Promise<void> {
    const loop = this.#living();
    if (!loop.running) return;
    await waitFor<void>({
      what: "v86 to stop",
      patience: options,
      defaultMs: POWER_MS,
      begin: (resolve, reject) => {
        this.#emulator.stop().then(resolve, reject);
        loop.next_tick(0); // An idle guest would notice only at its next timer.
        this.#endListeners.add(reject);
        return () => this.#endListeners.delete(reject);
      },
    });
  }

  async resume(options: Patience = {}): Promise<void> {
    options.signal?.throwIfAborted();
    this.#living();
    await this.#emulator.run();
  }

  /**
   * Resets the CPU and the balloon device and loads the image again. Like other machines v86 keeps
   * the rest of memory. A device that was reset has no pages: v86 would go on counting, and takes
   * no word from the guest on that.
   */
  async reset(options: Patience = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const loop = this.#living();
    const { cpu } = loop;
    this.#emulator.restart();
    const balloon = cpu.devices.virtio_balloon;
    if (balloon !== undefined) {
      balloon.virtio.reset();
      balloon.actual = 0;
    }
    // Without a BIOS v86's restart leaves an empty CPU; and its loader does not clear .bss.
    for (const { physicalAddress, fileBytes, memoryBytes } of this.#segments) {
      cpu.write_blob(new Uint8Array(memoryBytes - fileBytes), physicalAddress + fileBytes);
    }
    cpu.reg32[0] = cpu.io.port_read32(V86_EXIT_PORT);
    if (loop.running) loop.next_tick(0);
  }

  async kill(): Promise<GuestExit> {
    this.#end({ reason: "killed" });
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #save(options: Patience): Promise<ArrayBuffer> {
    options.signal?.throwIfAborted();
    this.#living();
    return this.#emulator.save_state();
  }

  async #restore({ state, ...options }: { state: ArrayBuffer } & Patience): Promise<void> {
    options.signal?.throwIfAborted();
    const loop = this.#living();
    await this.#emulator.restore_state(state);
    if (loop.running) loop.next_tick(0);
  }

  /** The loop of a machine that has not ended; throws `exited` otherwise. */
  #living(): V86Loop {
    if (this.#ended !== undefined) throw this.#ended;
    return this.#emulator.v86;
  }

  #guard({ loop, failed }: { loop: V86Loop; failed: (error: unknown) => void }): void {
    const init = loop.init.bind(loop);
    loop.init = (settings) => {
      try {
        init(settings);
        checkCpu({ cpu: loop.cpu, balloon: this.hasBalloon });
        clearEmptyBars(loop);
        this.#addExitPorts(loop);
        this.#emulator.add_listener("cpu-event-halt" as "emulator-stopped", () => {
          this.#halted = true;
        });
      } catch (error) {
        failed(error);
      }
    };
    const tick = loop.do_tick.bind(loop);
    loop.do_tick = () => {
      if (this.#ended !== undefined) return;
      try {
        tick();
        if (this.#halted) this.#end({ reason: "halted" });
      } catch (error) {
        if (error instanceof GuestWroteExitCode) this.#end({ reason: "guest" });
        else this.#end({ reason: "failed", error: describeThrown(error) });
      }
    };
  }

  #addExitPorts({ cpu }: V86Loop): void {
    const exit = (value: number): never => {
      this.#guestExitCode = value & EXIT_CODE_MASK;
      throw new GuestWroteExitCode();
    };
    const none = (): number => 0;
    for (let port = EXIT_PORT; port < EXIT_PORT + EXIT_PORT_BYTES; port += 1) {
      cpu.io.register_read(port, this, none, none, none);
      cpu.io.register_write(port, this, exit, exit, exit);
    }
    cpu.io.register_write(V86_EXIT_PORT, this, exit, exit, exit);
  }

  #end({ reason, error = "" }: { reason: GuestExit["reason"]; error?: string }): void {
    if (this.#ended !== undefined) return;
    const exit: GuestExit = {
      reason,
      ...(reason === "guest" ? { guestExitCode: this.#guestExitCode ?? 0 } : {}),
      code: null,
      signal: null,
      complaint: `${this.#engine.panic}${error}`.trim(),
    };
    this.#ended = exitedError({ exit, log: this.log });
    const emulator = this.#emulator;
    const loop: V86Loop | undefined = emulator.v86;
    if (loop !== undefined) {
      loop.tick_counter += 1; // Ticks already asked for compare this number, and do nothing.
      loop.next_tick = () => {};
      loop.running = false;
    }
    this.log.close(this.#ended);
    this.control.close(this.#ended);
    const listeners = [...this.#endListeners];
    this.#endListeners.clear();
    for (const listener of listeners) listener(this.#ended);
    const resolve = (): void => this.#resolveExited(exit);
    this.#release().then(resolve, resolve);
  }

  /** A machine that was given up while it was being built has too little to destroy. */
  async #release(): Promise<void> {
    const emulator = this.#emulator;
    if (emulator.v86 === undefined) return;
    // destroy() waits for the end of a run that, as far as v86 knows, may still be going on.
    emulator.emulator_bus.send("emulator-stopped");
    await emulator.destroy();
  }
}

function checkMemory(memoryBytes: number): void {
  const fits =
    Number.isSafeInteger(memoryBytes) &&
    memoryBytes >= MIN_MEMORY_BYTES &&
    memoryBytes <= MAX_MEMORY_BYTES &&
    memoryBytes % MEMORY_GRANULE_BYTES === 0;
  if (fits) return;
  throw new VmmError({
    code: "option",
    what: "memoryBytes",
    seen: String(memoryBytes),
    todo:
      `give a multiple of ${MEMORY_GRANULE_BYTES} ` +
      `from ${MIN_MEMORY_BYTES} to ${MAX_MEMORY_BYTES}`,
  });
}

function describeThrown(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
