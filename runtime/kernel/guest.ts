/**
 * The guest: memory, balloon, workload and control channel of one machine, put together. Every wait
 * listens to the balloon's interrupt and to the control channel, so the host can always reach it.
 */
import { BalloonDriver, type DriverOptions } from "../balloon/driver.ts";
import { ledgerStatistics } from "../balloon/statistics.ts";
import { type MemoryRange, openMemory } from "../core/arena.ts";
import { framesIn } from "../core/exports.ts";
import { FRAME_BYTES, Frames } from "../core/frames.ts";
import { BallonetError, hex } from "../errors.ts";
import type { Hal, InterruptAllocator, LogLevel } from "../hal.ts";
import { SCI_LINE } from "../pci/qemu-acpi-events.ts";
import { cooperative } from "../policy/cooperative.ts";
import { follow } from "../policy/follow.ts";
import { ownPolicy } from "../policy/own-policy.ts";
import type { Transport } from "../virtio/transport.ts";
import { BalloonSlot } from "./balloon-slot.ts";
import { ButtonLine } from "./button-line.ts";
import { checkCommandLine, type GuestOptions, parseCommandLine } from "./command-line.ts";
import { ControlChannel } from "./control-channel.ts";
import { controlMethods, type LedgerPlace } from "./control-methods.ts";
import { EXIT } from "./exit-codes.ts";
import { INPUT_LINE, LOG_PREFIX, type Machine, MESSAGE } from "./machine.ts";
import { planMemory } from "./memory-plan.ts";
import { ProgramChannel } from "./program-channel.ts";
import { Workload } from "./workload.ts";

/** How often to poll a device that cannot interrupt: quick for people, and cheap. */
const POLL_MS = 50;
/** How long a guest that lacks memory waits for the host to return some. */
const SHORTAGE_MS = 2000;
/** How long of that it waits for reported pages alone: a host returns them at once. */
const REPORTS_MS = 100;
/** What boot/buffers.c leaves of the free pages, when it gives the program some. */
const SHORTAGE_REST_PAGES = 64;
/** The longest single wait of these. */
const NAP_MS = 50;
const LOG_LINE_MAX = 1000;
/** Without it, the log of a program's image would only speak of a driver. */
const NOT_RUN = "the program was not run, because the guest cannot start";
/** The least memory for the arena and a reserve. */
const AVAILABLE_BYTES_MIN = 3.75 * 1024 * 1024;
/** The core's memory is the first 4 GiB; on i386 it is the first quarter of all addresses. */
const CORE_END_MAX = 0x1_0000_0000;
const CORE_SHARE = 4;

/**
 * Returns a Hal on the machine, with interrupt messages from the first one on. `Required`: a new
 * member of Hal that is missing here does not compile.
 */
export function guestHal(machine: Machine): Hal {
  const hal: Required<Omit<Hal, "interrupts">> = {
    portRead: (port, width) => machine.portRead(port, width),
    portWrite: (port, width, value) => machine.portWrite(port, width, value),
    mmioRead: (address, width) => machine.memoryRead(address, width),
    mmioWrite: (address, width, value) => machine.memoryWrite(address, width, value),
    now: () => machine.now(),
    log: (level, line) => log(machine, level, line),
  };
  const interrupts = messages(machine);
  return interrupts ? { ...hal, interrupts } : hal;
}

/** Hands out the message lines in order: the first is the driver's message 0. */
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
  machine.serialWrite(1, `${LOG_PREFIX}${prefix}${oneLine}\n`);
}

/** Logs the reason and ends the machine, before the user's program begins. */
function giveUp(machine: Machine, code: number, reason: string): never {
  log(machine, "error", reason);
  if (machine.hasProgram()) log(machine, "info", NOT_RUN);
  return machine.exit(code);
}

function readOptions(machine: Machine): GuestOptions {
  try {
    checkCommandLine(machine.commandLineBytes());
    return parseCommandLine(machine.commandLine());
  } catch (error) {
    if (!(error instanceof BallonetError)) throw error;
    return giveUp(machine, EXIT.badCommandLine, error.message);
  }
}

/** Gives all available memory to the ledger, except the arena. Returns where the ledger lies. */
function layOutMemory(machine: Machine, { settings }: GuestOptions): LedgerPlace {
  const { core } = machine;
  const available: MemoryRange[] = machine
    .memoryMap()
    .filter(({ kind }) => kind === "available")
    .map(({ base, size }) => ({ start: base, bytes: size }));
  const bytes = available.reduce((sum, range) => sum + range.bytes, 0);
  const tooLittle: (needed: number) => never = (needed) =>
    giveUp(
      machine,
      EXIT.tooLittleMemory,
      `too little memory: ${bytes} bytes are available, ${needed} needed; add some`,
    );
  if (bytes < AVAILABLE_BYTES_MIN) tooLittle(AVAILABLE_BYTES_MIN);
  const coreEnd = Math.min(CORE_END_MAX, machine.memoryEnd() / CORE_SHARE);
  const plan = planMemory({ core, settings, available, coreEnd });
  if (typeof plan === "number") tooLittle(plan + FRAME_BYTES);
  const { arena, ram, unusedBytes, usedEnd } = plan;
  if (unusedBytes > 0) {
    const why = `the memory below ${hex(coreEnd)} cannot describe more`;
    log(machine, "warn", `${unusedBytes} bytes from ${hex(usedEnd)} on stay unused: ${why}`);
  }
  openMemory({ core, settings, arena, ram });
  machine.growFromLedger();
  // The arena begins with the states of the frames.
  return { address: arena.start, frames: core.ledger_frames() >>> 0 };
}

/** One guest, from its start to the end of its machine. */
export class Guest {
  private readonly machine: Machine;
  private readonly driver: BalloonDriver;
  private readonly slot: BalloonSlot;
  private readonly control: ControlChannel;
  private readonly program: ProgramChannel;
  private button: ButtonLine | undefined;
  /** Whether a request of the control channel is served right now. */
  private isServing = false;
  /** When the driver wants its next step. */
  private nextMs = 0;

  constructor(machine: Machine) {
    this.machine = machine;
    const options = readOptions(machine);
    const ledger = layOutMemory(machine, options);
    const hal = guestHal(machine);
    this.slot = new BalloonSlot({ machine, options, hal: () => guestHal(machine) });
    const transport = this.findDevice(options);
    const { core } = machine;
    const { settings } = options;
    const stock = machine.hasProgram() ? cooperative : follow;
    const { policy = ownPolicy(machine) ?? stock(settings.follow) } = options;
    this.driver = new BalloonDriver({
      hal,
      core,
      policy,
      settings,
      ...(transport && { transport }),
      ...(machine.hasProgram() && this.ofProgram(machine)),
    });
    const workload = new Workload({
      machine,
      frames: new Frames(core),
      shortage: (frames) => this.awaitShortage(frames),
      pause: () => this.serveBalloon(),
    });
    const methods = controlMethods({ machine, driver: this.driver, workload, ledger });
    this.program = new ProgramChannel({
      machine,
      reserved: Object.keys(methods),
      notify: (name, value) => this.control.notify(name, value),
      shortage: (pages) => this.endShortage(pages),
    });
    const later = this.program;
    this.control = new ControlChannel({ machine, wanted: options.control, methods, later });
    if (this.control.port === 1) log(machine, "info", "the control channel is on COM1");
  }

  /** Listens first, then brings the balloon up: no interrupt is lost. */
  start(): number {
    this.control.listen();
    this.slot.listen();
    this.driver.start();
    if (!this.slot.hasChipset) this.listenToButton();
    return this.wake(0);
  }

  /** Serves the lines that were raised, a bit each. Returns when to wake the guest next. */
  wake(lines: number): number {
    if (this.isServing) {
      // A script that the host sent runs: the balloon is served meanwhile, and nothing else.
      this.serveChipset(lines);
      return this.serveBalloon(lines >>> MESSAGE.firstLine);
    }
    this.program.receive();
    if (this.machine.programFreed()) this.driver.memoryFreed();
    const { line } = this.control;
    const asked = line !== undefined && (lines & (1 << line)) !== 0 && this.serveControl();
    // A long request comes in many small pieces: the balloon need not be served for each.
    const pieceOnly = !asked && line !== undefined && lines === 1 << line;
    const isShared = this.slot.deviceLine === line;
    if (pieceOnly && !isShared && this.machine.now() < this.nextMs) return this.nextMs;
    this.serveChipset(lines);
    return this.serveBalloon(lines >>> MESSAGE.firstLine);
  }

  private listenToButton(): void {
    const { machine, slot } = this;
    const acpi = {
      hal: guestHal(machine),
      acpiRoot: machine.acpiRoot(),
      memoryEnd: machine.memoryEnd(),
    };
    const inputTaken = slot.deviceLine === INPUT_LINE;
    this.button = ButtonLine.listen({ machine, acpi, inputTaken });
  }

  private serveControl(): boolean {
    this.isServing = true;
    try {
      return this.control.serve();
    } finally {
      this.isServing = false;
    }
  }

  private serveChipset(lines: number): void {
    const isChipset = (lines & (1 << SCI_LINE)) !== 0;
    if (isChipset && this.slot.serve(this.driver)) this.powerOff();
    if (this.button?.pressed(lines)) this.powerOff();
  }

  /** `messages` are those that came, a bit each; undefined: not known. */
  private serveBalloon(messages?: number): number {
    this.driver.interrupt(messages);
    const againMs = this.driver.step();
    this.nextMs = againMs ?? Number.POSITIVE_INFINITY;
    if (againMs !== undefined && this.slot.needsPolling) {
      this.nextMs = Math.min(againMs, this.machine.now() + POLL_MS);
    }
    return this.nextMs;
  }

  /** What the program does for the balloon: what it can give, and what that means to the host. */
  private ofProgram(machine: Machine): Pick<DriverOptions, "giver" | "statistics"> {
    return {
      giver: {
        offeredPages: () => Math.floor(machine.programOffers() / FRAME_BYTES),
        ask: (from, pages) => {
          if (from === "caches") this.program.press(pages * FRAME_BYTES);
          else machine.programCollect();
        },
      },
      statistics: () => {
        const statistics = ledgerStatistics(machine.core);
        const caches = machine.programOffers();
        return { ...statistics, caches, available: statistics.available + caches };
      },
    };
  }

  private findDevice({ waitForDevice }: GuestOptions): Transport | undefined {
    try {
      return this.slot.find();
    } catch (error) {
      if (!(error instanceof BallonetError)) throw error;
      if (error.code !== "no-device") return giveUp(this.machine, EXIT.deviceFailed, error.message);
      if (!waitForDevice || !this.slot.canPlug) {
        return giveUp(this.machine, EXIT.noBalloon, error.message);
      }
      log(this.machine, "info", "waiting for a balloon to be plugged in");
      return undefined;
    }
  }

  /** The balloon is not drained, which could take long: the reset of the device ends it. */
  private powerOff(): never {
    log(this.machine, "info", "switched off by the power button");
    this.slot.rest(this.driver, () => this.driver.stop());
    return this.machine.exit(EXIT.powerOff);
  }

  /** The same until so many pages are free, or no more come. */
  private endShortage(pages: number): void {
    const missing = () => pages + SHORTAGE_REST_PAGES - framesIn(this.machine.core, "free");
    for (let lacks = missing(); lacks > 0 && this.awaitShortage(lacks); lacks = missing());
  }

  /**
   * Waits a bounded time until memory is free: pages in a report come back by themselves, more the
   * driver asks the balloon for. True: some are free.
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
