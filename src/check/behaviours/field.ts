/** One machine with a guest whose balloon works, as behaviours use it. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ControlClient } from "../../vmm/index.ts";
import { type BalloonStatistics, PAGE_BYTES } from "../../vmm/index.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../vmm/json.ts";
import type { CheckedMachine, HostHand } from "../hosts/host.ts";
import { expect, LeftOut, Missed } from "./ends.ts";

/** How long a balloon, a guest or a host may take for a step. */
const STEP_MS = 15_000;
const LOOK_MS = 20;
const READY = /^ballonet: ready: /;

/** What a guest tells of itself. */
export interface GuestStatus {
  readonly state: string;
  readonly negotiated: string;
  readonly actualPages: number;
  readonly freePages: number;
  readonly heldPages: number;
  readonly reportedPages: number;
}

/** See the file's header. Pages have 4 KiB. */
export class Field {
  readonly memoryPages: number;
  private machine: CheckedMachine;
  private reader: Reader;
  private seed = 1;

  constructor(machine: CheckedMachine, memoryBytes: number) {
    this.machine = machine;
    this.reader = new Reader(machine.lines);
    this.memoryPages = memoryBytes / PAGE_BYTES;
  }

  get hand(): HostHand {
    return this.machine.hand ?? {};
  }

  /** Waits until the guest's driver is up. Rejects with Missed. */
  async ready(): Promise<void> {
    const isReady = await Promise.race([this.reader.until(READY), sleep(STEP_MS, undefined)]);
    if (isReady) return;
    throw new Missed(`the guest does not come up: ${this.reader.tail.join(" | ")}`);
  }

  /** Sends a request on the control channel. Rejects as `ControlClient.request` does. */
  ask(method: string, params: JsonObject = {}): Promise<JsonValue> {
    return this.control.request({ method, params, timeoutMs: STEP_MS });
  }

  private get control(): ControlClient {
    if (this.machine.control === undefined) throw new LeftOut("the guest's control channel");
    return this.machine.control;
  }

  async status(): Promise<GuestStatus> {
    const status = await this.ask("status");
    const { frames, totals, ...rest } = status as unknown as GuestStatus & {
      readonly frames: Readonly<Record<string, number>>;
      readonly totals: Readonly<Record<string, number>>;
    };
    const { state, negotiated, actualPages } = rest;
    const { free: freePages = 0, held: heldPages = 0 } = frames;
    return {
      state,
      negotiated,
      actualPages,
      freePages,
      heldPages,
      reportedPages: totals.reported ?? 0,
    };
  }

  /** Whether the guest's driver has a feature, by its name. */
  async has(feature: string): Promise<boolean> {
    return (await this.status()).negotiated.split(" ").includes(feature);
  }

  /** Sets a target, which is rounded down to one that the host can express. Returns it. */
  async target(pages: number): Promise<number> {
    const { setTarget, targetUnitPages = 1 } = this.hand;
    const whole = pages - (pages % targetUnitPages);
    await setTarget?.call(this.hand, whole);
    return whole;
  }

  /** What the host shows of the balloon. */
  async shown(): Promise<number> {
    return (await this.hand.shown?.())?.actualPages ?? Number.NaN;
  }

  /** Sets a target and waits until the host shows it. Returns it. Rejects with Missed. */
  async move(pages: number): Promise<number> {
    const whole = await this.target(pages);
    await this.awaitShown(whole);
    return whole;
  }

  /** Waits until the host shows a balloon of so many pages. Rejects with Missed. */
  async awaitShown(pages: number): Promise<void> {
    await this.until(
      () => this.shown(),
      (shown) => shown === pages,
      (shown) => `the host shows ${shown} pages, not ${pages}`,
    );
  }

  /**
   * Reads again and again until it is so. Returns what was read last. Rejects with Missed, and with
   * what `seen` says of that.
   */
  async until<T>(
    read: () => Promise<T>,
    isSo: (value: T) => boolean,
    seen: (value: T) => string,
    limitMs = STEP_MS,
  ): Promise<T> {
    const endMs = performance.now() + limitMs;
    for (;;) {
      const value = await read();
      if (isSo(value)) return value;
      if (performance.now() > endMs) throw new Missed(`${seen(value)}, after ${limitMs} ms`);
      await sleep(LOOK_MS);
    }
  }

  /** A program takes so many pages and writes to them. Returns its handle. */
  async take(pages: number): Promise<number> {
    const seed = this.seed++;
    const answer = await this.ask("workload.allocate", { frames: pages, seed });
    return isJsonObject(answer) ? Number(answer.handle) : 0;
  }

  /** Looks at what it wrote. Rejects with Missed when a byte is another one. */
  async verify(handle: number): Promise<void> {
    const answer = await this.ask("workload.verify", { handle });
    const mismatches = isJsonObject(answer) ? Number(answer.mismatches) : Number.NaN;
    expect(mismatches === 0, `the program's memory has ${mismatches} wrong bytes`);
  }

  /** It ends. */
  async give(handle: number): Promise<void> {
    await this.ask("workload.free", { handle });
  }

  /** Writes to so many pages of the guest's and frees them again. */
  async dirty(pages: number): Promise<void> {
    await this.give(await this.take(pages));
  }

  /** Bytes of the host's memory that the machine has. Rejects with LeftOut. */
  async resident(): Promise<number> {
    const bytes = await this.hand.residentBytes?.();
    if (bytes === undefined) throw new LeftOut("the machine's resident set");
    return bytes;
  }

  /** Statistics that are newer than the call. */
  async fresh(): Promise<BalloonStatistics["tags"]> {
    return (await this.hand.statistics?.({ fresh: true }))?.tags ?? {};
  }

  /** The guest goes on in another machine, from what was saved of this one. */
  async snapshot(): Promise<void> {
    const next = await this.hand.snapshot?.();
    if (next === undefined) throw new LeftOut("the host's hand: snapshot");
    this.machine = next;
    this.reader = new Reader(next.lines);
  }

  /** The machine boots anew. Resolves when the guest's driver is up again. */
  async reset(): Promise<void> {
    await this.hand.reset?.();
    await this.ready();
  }

  /** Evaluates a script in the guest, whose globals are there for the next one. */
  evaluate(script: string): Promise<JsonValue> {
    return this.ask("evaluate", { script, timeoutMs: STEP_MS });
  }

  /** How the machine has ended; undefined while it runs. */
  async ended(): Promise<string | undefined> {
    return Promise.race([this.machine.ended, sleep(LOOK_MS, undefined)]);
  }

  get lastLines(): readonly string[] {
    return this.reader.tail;
  }

  kill(): Promise<unknown> {
    return this.machine.kill();
  }
}

const LINES_KEPT = 8;

/** Reads a guest's lines all the time, and knows the last ones. */
class Reader {
  readonly tail: string[] = [];
  private wake = () => {};
  private fresh: string[] = [];
  private isOver = false;

  constructor(lines: AsyncIterable<string>) {
    const read = async () => {
      for await (const line of lines) {
        this.tail.push(line.slice(0, 400));
        if (this.tail.length > LINES_KEPT) this.tail.shift();
        this.fresh.push(line);
        if (this.fresh.length > LINES_KEPT) this.fresh.shift();
        this.wake();
      }
    };
    const end = () => {
      this.isOver = true;
      this.wake();
    };
    read().then(end, end);
  }

  /** Whether such a line comes, or has come since the last call; false: the machine has ended. */
  async until(pattern: RegExp): Promise<boolean> {
    for (;;) {
      const lines = this.fresh;
      this.fresh = [];
      if (lines.some((line) => pattern.test(line))) return true;
      if (this.isOver) return false;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}
