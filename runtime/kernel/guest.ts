/**
 * The guest: memory, balloon, workload and control channel of one machine, put together.
 *
 * It must not know the boot protocol or the engine. Invariant: it never waits without listening to
 * the balloon's interrupt and the control channel, so the host can always reach it.
 */
import { BalloonDriver } from "../balloon/driver.ts";
import { arenaBytes, type MemoryRange, openMemory } from "../core/arena.ts";
import { framesIn } from "../core/exports.ts";
import { FRAME_BYTES, Frames } from "../core/frames.ts";
import { BallonetError } from "../errors.ts";
import type { Hal, InterruptAllocator, LogLevel } from "../hal.ts";
import { SCI_LINE } from "../pci/qemu-acpi-events.ts";
import type { Transport } from "../virtio/transport.ts";
import { Plugging } from "./balloon-slot.ts";
import { type GuestOptions, parseCommandLine } from "./command-line.ts";
import { controlMethods } from "./control-methods.ts";
import { EXIT } from "./exit-codes.ts";
import { ControlServer } from "./json-rpc-server.ts";
import { type Machine, MESSAGE } from "./machine.ts";
import { Workload } from "./workload.ts";

/** COM2's interrupt line on every PC. */
const COM2_LINE = 3;
/** How often to look at a device that cannot interrupt: soon enough for people, cheap enough. */
const POLL_MS = 50;
/** How long a guest that lacks memory waits for the host to give some back. */
const SHORTAGE_MS = 2000;
/** How long of that it waits for reports alone: a host that answers at all does so at once. */
const REPORTS_MS = 100;
/** How long to wait in one piece. */
const NAP_MS = 50;
const LOG_LINE_MAX = 1000;
/** Below this there is not even room for the arena and a reserve. */
const AVAILABLE_BYTES_MIN = 4 * 1024 * 1024;

export function guestHal(machine: Machine): Hal {
  const interrupts = messages(machine);
  return {
    portRead: (port, width) => machine.portRead(port, width),
    portWrite: (port, width, value) => machine.portWrite(port, width, value),
    mmioRead: (address, width) => machine.memoryRead(address, width),
    mmioWrite: (address, width, value) => machine.memoryWrite(address, width, value),
    now: () => machine.now(),
    log: (level, line) => log(machine, level, line),
    ...(interrupts && { interrupts }),
  };
}

/** Hands out the lines that are messages, in their order: the first is the driver's message 0. */
function messages(machine: Machine): InterruptAllocator | undefined {
  const address = machine.messageAddress();
  if (address === 0) return undefined;
  let end: number = MESSAGE.firstLine;
  return {
    allocate: (count) => {
      if (end + count > MESSAGE.endLine) return undefined;
      return Array.from({ length: count }, () => {
        machine.listen(end);
        return { address, data: MESSAGE.vector + end++ };
      });
    },
  };
}

function log(machine: Machine, level: LogLevel, line: string): void {
  const prefix = level === "info" ? "" : `${level}: `;
  const oneLine = line.replace(/[\r\n]+/g, " | ").slice(0, LOG_LINE_MAX);
  machine.serialWrite(1, `ballonet: ${prefix}${oneLine}\n`);
}

/** Says why, and ends the machine. */
function giveUp(machine: Machine, code: number, reason: string): never {
  log(machine, "error", reason);
  return machine.exit(code);
}

function readOptions(machine: Machine): GuestOptions {
  try {
    return parseCommandLine(machine.commandLine());
  } catch (error) {
    if (!(error instanceof BallonetError)) throw error;
    return giveUp(machine, EXIT.badCommandLine, error.message);
  }
}

/** Hands all available memory to the ledger, but for the arena at the start of the first fit. */
function layOutMemory(machine: Machine, { settings }: GuestOptions): void {
  const { core } = machine;
  const ram: MemoryRange[] = machine
    .memoryMap()
    .filter(({ kind, size }) => kind === "available" && size > 0)
    .map(({ base, size }) => ({ start: base, bytes: size }));
  const available = ram.reduce((sum, { bytes }) => sum + bytes, 0);
  const tooLittle: (needed: number) => never = (needed) =>
    giveUp(
      machine,
      EXIT.tooLittleMemory,
      `too little memory: ${available} bytes are available, ${needed} needed; add some`,
    );
  if (available < AVAILABLE_BYTES_MIN) tooLittle(AVAILABLE_BYTES_MIN);
  const needed = arenaBytes({ core, settings, ram });
  const home = ram.findIndex(({ bytes }) => bytes > needed);
  const range = ram[home];
  if (range === undefined) tooLittle(needed + FRAME_BYTES);
  const arena = { start: range.start, bytes: needed };
  ram[home] = { start: range.start + needed, bytes: range.bytes - needed };
  openMemory({ core, settings, arena, ram });
  machine.growFromLedger();
}

export class Guest {
  private readonly machine: Machine;
  private readonly driver: BalloonDriver;
  private readonly plugging: Plugging;
  private readonly control: ControlServer;
  /** When the driver wants to be woken though nothing happened. */
  private nextMs = 0;

  constructor(machine: Machine) {
    this.machine = machine;
    const options = readOptions(machine);
    layOutMemory(machine, options);
    const hal = guestHal(machine);
    this.plugging = new Plugging({ machine, options, hal: () => guestHal(machine) });
    const transport = this.findDevice(options);
    const { core } = machine;
    const { policy, settings } = options;
    this.driver = new BalloonDriver({
      hal,
      core,
      policy,
      settings,
      ...(transport && { transport }),
    });
    const workload = new Workload({
      machine,
      frames: new Frames(core),
      shortage: (frames) => this.awaitShortage(frames),
      pause: () => this.serveBalloon(),
    });
    this.control = new ControlServer({
      methods: controlMethods({ machine, driver: this.driver, workload }),
      send: (line) => machine.serialWrite(2, line),
    });
  }

  /** Listens, then brings the balloon up: what happens in between is not lost. */
  start(): number {
    this.machine.listen(COM2_LINE);
    this.plugging.listen();
    this.driver.start();
    return this.wake(0);
  }

  /** Does all that can be done; answers when to be woken next. `lines` asked, a bit each. */
  wake(lines: number): number {
    const asked = this.serveControl();
    // A long request comes in many small pieces: none of them is worth a look at the balloon.
    const pieceOnly = !asked && lines === 1 << COM2_LINE;
    const isShared = this.plugging.deviceLine === COM2_LINE;
    if (pieceOnly && !isShared && this.machine.now() < this.nextMs) return this.nextMs;
    this.serveChipset(lines);
    return this.serveBalloon(lines >>> MESSAGE.firstLine);
  }

  private serveControl(): boolean {
    let asked = false;
    for (let bytes = this.machine.serialRead(2); bytes !== ""; bytes = this.machine.serialRead(2)) {
      if (this.control.receive(bytes)) asked = true;
    }
    return asked;
  }

  private serveChipset(lines: number): void {
    if ((lines & (1 << SCI_LINE)) !== 0 && this.plugging.serve(this.driver)) this.powerOff();
  }

  /** `messages` came, a bit each; undefined where nobody has waited for them. */
  private serveBalloon(messages?: number): number {
    this.driver.interrupt(messages);
    const againMs = this.driver.step();
    this.nextMs = againMs ?? Number.POSITIVE_INFINITY;
    if (againMs !== undefined && this.plugging.isDeaf) {
      this.nextMs = Math.min(againMs, this.machine.now() + POLL_MS);
    }
    return this.nextMs;
  }

  private findDevice({ waitForDevice }: GuestOptions): Transport | undefined {
    try {
      return this.plugging.find();
    } catch (error) {
      if (!(error instanceof BallonetError)) throw error;
      if (error.code !== "no-device") return giveUp(this.machine, EXIT.deviceFailed, error.message);
      if (!waitForDevice || !this.plugging.canPlug) {
        return giveUp(this.machine, EXIT.noBalloon, error.message);
      }
      log(this.machine, "info", "waiting for a balloon to be plugged in");
      return undefined;
    }
  }

  /** The host asked by the power button. A reset ends the balloon; draining it could take long. */
  private powerOff(): never {
    log(this.machine, "info", "switched off by the power button");
    this.plugging.rest(this.driver, () => this.driver.stop());
    return this.machine.exit(EXIT.powerOff);
  }

  /**
   * Waits until some memory is free, within bounds: what is being reported comes back by itself,
   * the rest the balloon is asked for.
   */
  private awaitShortage(frames: number): boolean {
    const { machine, driver } = this;
    const { core } = machine;
    const freeBefore = framesIn(core, "free");
    const began = machine.now();
    const hasHope = () => {
      const waitedMs = machine.now() - began;
      if (waitedMs < REPORTS_MS && framesIn(core, "reporting") > 0) return true;
      return waitedMs < SHORTAGE_MS && driver.shortage(frames);
    };
    while (hasHope()) {
      const next = this.serveBalloon();
      if (framesIn(core, "free") > freeBefore) return true;
      const lines = machine.waitForInterrupt(Math.min(next, machine.now() + NAP_MS));
      this.serveChipset(lines);
      driver.interrupt(lines >>> MESSAGE.firstLine);
    }
    return framesIn(core, "free") > freeBefore;
  }
}
