/**
 * Runs a driver in this process, on the device's virtual clock: equal drivers and options give
 * equal verdicts.
 */
import { createMachine, type Machine, type MachineHal } from "../../device/index.ts";
import { type DeviceChoice, deviceOptions } from "../device-options.ts";
import { MovableGuest, type RenewDevice } from "../movable-guest.ts";
import {
  GuestLost,
  type JudgedGuest,
  PAGE_BYTES,
  type Platform,
  type ScenarioDevice,
  type SystemActions,
} from "../platform.ts";
import type { Driver, StartDriver } from "./driver.ts";

/** Accesses in one call of the driver: past this it waits for something that never comes. */
const ACCESSES_MAX = 500_000;

/** Turns of driver and device until both rest: past this they answer each other for ever. */
const TURNS_MAX = 20_000;

/** Turns in which nothing happened that are no waiting any more. */
const QUIET_MAX = 8;

/** Quiet time after which a driver that looks by itself has found whatever there is, in ms. */
const QUIET_MS = 1000;

/** A driver that was not started yet, and the memory that it will run in. */
export interface FreshDriver {
  readonly memory: WebAssembly.Memory;
  readonly start: StartDriver;
}

/** Returns the platform that runs a driver in this process: `fresh` gives a new one each time. */
export function inProcess(
  fresh: () => FreshDriver | Promise<FreshDriver>,
  choice: DeviceChoice,
): Platform {
  return {
    name: "in process",
    async start({ device, signal }) {
      const { memory, start } = await fresh();
      const make = (own: ScenarioDevice, incoming?: Uint8Array) =>
        createMachine({
          ...deviceOptions(choice, own),
          memory,
          ...(incoming && { incoming }),
        });
      const guest = new InProcessGuest(make(device), { make, memory, signal });
      await guest.start(start);
      return guest;
    },
  };
}

class InProcessGuest extends MovableGuest<Machine> implements JudgedGuest {
  readonly pages: number;
  system: SystemActions = {};
  private readonly memory: WebAssembly.Memory;
  private readonly signal: AbortSignal;
  private driver: Driver | undefined;
  private dueMs = 0;
  private accessesAtCall = 0;
  /** Why the driver can be called no more. */
  private ended: GuestLost | undefined;

  constructor(
    machine: Machine,
    parts: {
      readonly make: RenewDevice<Machine>;
      readonly memory: WebAssembly.Memory;
      readonly signal: AbortSignal;
    },
  ) {
    const { make, memory, signal } = parts;
    super(machine, make);
    this.memory = memory;
    this.signal = signal;
    this.pages = Math.floor(memory.buffer.byteLength / PAGE_BYTES);
  }

  async start(start: StartDriver): Promise<void> {
    this.accessesAtCall = this.device.counters.accesses;
    try {
      this.driver = await start({ hal: this.bounded(this.device.hal), memory: this.memory });
    } catch (error) {
      this.ended = lostBy(error);
      return;
    }
    this.system = actionsOf(this.driver, (work) => this.call(work));
    // It may come up in its first `step`, and has its time for that, too.
    if (this.device.outcome.end !== "never came") return;
    await this.rest().catch((error: unknown) => {
      if (!(error instanceof GuestLost)) throw error;
      this.ended = error;
    });
  }

  rest(): Promise<void> {
    return this.run(Number.POSITIVE_INFINITY);
  }

  pass(ms: number): Promise<void> {
    return this.run(this.device.nowMs + ms);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Gives driver and device their turns until both rest, or until the clock says `endMs`. */
  private async run(endMs: number): Promise<void> {
    const { device } = this;
    let quiet = 0;
    let quietSinceMs = device.nowMs;
    for (let turn = 0; turn < TURNS_MAX; turn += 1) {
      this.signal.throwIfAborted();
      const isBusy = this.turn();
      quiet = isBusy ? 0 : quiet + 1;
      if (quiet === 0) quietSinceMs = device.nowMs;
      const waited = device.nowMs - quietSinceMs;
      const isPolled = quiet > 2 && waited > QUIET_MS;
      const isAtRest = quiet > 0 && (isPolled || this.dueMs - device.nowMs > QUIET_MS * 10);
      if (endMs === Number.POSITIVE_INFINITY && (isAtRest || quiet > QUIET_MAX)) return;
      if (device.nowMs >= endMs) return;
      const nextMs = Math.min(this.dueMs, endMs);
      if (nextMs !== Number.POSITIVE_INFINITY) device.advance(Math.max(0, nextMs - device.nowMs));
    }
    throw new GuestLost("hung", `driver and device answer each other after ${TURNS_MAX} turns`);
  }

  /** One turn of each. Returns whether anything happened. */
  private turn(): boolean {
    const { device, driver } = this;
    const interrupted = device.interruptPending;
    this.call(() => {
      if (interrupted) driver?.interrupt?.(messagesOf(device));
      const delayMs = driver?.step();
      this.dueMs =
        delayMs === undefined ? Number.POSITIVE_INFINITY : device.nowMs + Math.max(0, delayMs);
    });
    const worked = device.run();
    return interrupted || worked > 0 || device.interruptPending;
  }

  /** Calls the driver. @throws GuestLost when it does not return as it should. */
  private call<T>(work: () => T): T {
    if (this.ended !== undefined) throw this.ended;
    this.accessesAtCall = this.device.counters.accesses;
    try {
      return work();
    } catch (error) {
      this.ended = lostBy(error);
      throw this.ended;
    }
  }

  /** The present machine's Hal, that ends a call which accesses the device without end. */
  private bounded({ interrupts }: MachineHal): MachineHal {
    const check = () => {
      const { counters, hal } = this.device;
      if (counters.accesses - this.accessesAtCall < ACCESSES_MAX) return hal;
      throw new GuestLost("hung", `the driver made ${ACCESSES_MAX} accesses in one call`);
    };
    return {
      now: () => this.device.hal.now(),
      log: (level, line) => this.device.hal.log(level, line),
      ...(interrupts && {
        interrupts: { allocate: (count) => check().interrupts?.allocate(count) ?? [] },
      }),
      portRead: (port, width) => check().portRead(port, width),
      portWrite: (port, width, value) => check().portWrite(port, width, value),
      mmioRead: (address, width) => check().mmioRead(address, width),
      mmioWrite: (address, width, value) => check().mmioWrite(address, width, value),
    };
  }
}

function lostBy(error: unknown): GuestLost {
  if (error instanceof GuestLost) return error;
  return new GuestLost(
    "crashed",
    error instanceof Error ? `${error.name}: ${error.message}` : String(error),
  );
}

function messagesOf(machine: Machine): number {
  return machine.takeMessages().reduce((bits, message) => bits | (1 << message), 0);
}

/** The driver's own actions, as a scenario asks for them. */
function actionsOf(driver: Driver, call: <T>(work: () => T) => T): SystemActions {
  const { usePages, dropPages, unbind, bind } = driver;
  return {
    ...(usePages && {
      usePages: async (pages: number) => call(() => usePages.call(driver, pages)),
    }),
    ...(dropPages && { dropPages: async () => call(() => dropPages.call(driver)) }),
    ...(unbind && { unbind: async () => call(() => unbind.call(driver)) }),
    ...(bind && { bind: async () => call(() => bind.call(driver)) }),
  };
}
