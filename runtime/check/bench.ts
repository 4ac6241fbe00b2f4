/**
 * The bench: what the checks of a device stand on. It is the machine as a driver sees it, memory of
 * the suite's own, and, where somebody lends it, the host's hand.
 */
import type { Hal, Width } from "../hal.ts";
import type { DeviceRegisters } from "./registers.ts";

/** What a check may ask of the host. A host that cannot do it gives no answer. */
export type HostRequest =
  /** A target for the balloon, in pages. */
  | { readonly do: "target"; readonly pages: number }
  /** Asks the driver for statistics; the answer comes with `statistics`. */
  | { readonly do: "ask-statistics" }
  /** The statistics that the host has now: the answer's `tags`. */
  | { readonly do: "statistics" }
  /** A run of free page hinting begins. */
  | { readonly do: "hint" }
  /** The run ends: the host has no more need of the pages. */
  | { readonly do: "hint-done" };

/** What the host answers. */
export interface HostAnswer {
  /** Values of statistics, in decimal digits, by tag. */
  readonly tags?: Readonly<Record<string, string>>;
}

/** The host's hand. */
export interface CheckHost {
  /** Does what is asked for. Undefined: this host cannot do it. */
  ask(request: HostRequest): HostAnswer | undefined;
}

/** Guest memory, by physical address. */
export interface Memory {
  read(address: number, width: Width): number;
  write(address: number, width: Width, value: number): void;
}

/** The machine that a suite runs on. */
export interface BenchOptions {
  readonly hal: Hal;
  readonly memory: Memory;
  /** Memory that nobody else uses: whole pages, 1 MiB at least. The device may get all of it. */
  readonly area: { readonly start: number; readonly bytes: number };
  /** Lets the device work for so many milliseconds. */
  pass(ms: number): void;
  readonly host?: CheckHost;
  /** Takes the numbers of the interrupt messages that came; absent: the machine takes none. */
  takeMessages?(): readonly number[];
}

/** Bytes of a page, whatever the guest's own (virtio 1.3, 5.5.6). */
export const PAGE_BYTES = 4096;
/** How long a check waits for what a device has to do. */
const WAIT_MS = 500;
/** How long it waits to see that a device does not do something. */
const QUIET_MS = 8;

/** A device did what a statement speaks against. */
export class Broken extends Error {}
/** This device or this machine has not what a check needs. */
export class LeftOut extends Error {}

/** @throws Broken unless it is so; `seen` tells what was seen instead. */
export function expect(isGood: boolean, seen: string): void {
  if (!isGood) throw new Broken(seen);
}

/** @throws LeftOut unless it is so. */
export function need(has: boolean, missing: string): void {
  if (!has) throw new LeftOut(missing);
}

/** One machine with a device, and the memory that a check has taken so far. */
export class Bench {
  readonly hal: Hal;
  readonly memory: Memory;
  readonly device: DeviceRegisters;
  private readonly options: BenchOptions;
  private next: number;

  constructor(options: BenchOptions, device: DeviceRegisters) {
    this.options = options;
    this.hal = options.hal;
    this.memory = options.memory;
    this.device = device;
    this.next = options.area.start;
  }

  /** The same machine, with the device's registers reached in another way. */
  through(device: DeviceRegisters): Bench {
    return new Bench(this.options, device);
  }

  /** A check begins: all memory is free again. The device must be reset. */
  begin(): void {
    this.next = this.options.area.start;
  }

  /** Takes zeroed memory, at a multiple of `alignment` bytes. */
  take(bytes: number, alignment = 64): number {
    const at = Math.ceil(this.next / alignment) * alignment;
    this.next = at + bytes;
    const { start, bytes: all } = this.options.area;
    if (this.next > start + all) throw new Error(`a check takes ${this.next - start} bytes`);
    for (let byte = 0; byte < bytes; byte += 4) this.memory.write(at + byte, 4, 0);
    return at;
  }

  /** Takes one page, every 32-bit word of which has this value. Returns its number. */
  page(word: number): number {
    const at = Math.ceil(this.next / PAGE_BYTES) * PAGE_BYTES;
    this.next = at + PAGE_BYTES;
    for (let byte = 0; byte < PAGE_BYTES; byte += 4) this.memory.write(at + byte, 4, word);
    return at / PAGE_BYTES;
  }

  /** Whether a page holds this word, and nothing else, wherever it is looked at. */
  holds(pfn: number, word: number): boolean {
    for (let byte = 0; byte < PAGE_BYTES; byte += 64) {
      if (this.memory.read(pfn * PAGE_BYTES + byte, 4) !== word) return false;
    }
    return true;
  }

  /** Waits until it is so, and no longer than a device may take. Returns whether it is. */
  until(done: () => boolean, limitMs = WAIT_MS): boolean {
    for (let waited = 0; waited < limitMs; waited++) {
      if (done()) return true;
      this.options.pass(1);
    }
    return done();
  }

  /** Lets the device do what it must not do. */
  quiet(): void {
    this.options.pass(QUIET_MS);
  }

  /** @throws LeftOut where nobody lends the host's hand, or it cannot do this. */
  ask(request: HostRequest): HostAnswer {
    const answer = this.options.host?.ask(request);
    if (answer === undefined) throw new LeftOut(`the host's hand: ${request.do}`);
    return answer;
  }

  /** The interrupt messages that came since the last call. @throws LeftOut without messages. */
  messages(): readonly number[] {
    const { takeMessages } = this.options;
    if (takeMessages === undefined) throw new LeftOut("interrupt messages");
    return takeMessages();
  }
}
