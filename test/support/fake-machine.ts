/**
 * A kernel's machine in this process: the real core over a wasm memory, the reference device, two
 * serial ports and a virtual clock.
 *
 * It must be stricter than the boot code: frames are filled only while the ledger says that they
 * are in use, the channel carries whole lines of ASCII, and no wait is for nothing. What the boot
 * code forbids throws here.
 */
import type { CoreExports } from "../../runtime/core/exports.ts";
import type { Width } from "../../runtime/hal.ts";
import type { Footprint, Machine, MemoryRegion } from "../../runtime/kernel/machine.ts";
import {
  createMachine,
  type Machine as Device,
  type MachineOptions,
} from "../../src/device/index.ts";
import { instantiateCore } from "./core-instance.ts";
import type { FakeChipset } from "./fake-chipset.ts";

const FRAME = 4096;
const WASM_PAGE = 65536;
const USED = 1;
const CALL_FRAMES_MAX = 0x10000;
/** The reference device's interrupt is seen by its pending state, not by a line. */
const NO_LINES = 0;
const SERIAL_LINES = { 1: 4, 2: 3 } as const;
const SCI_LINE = 9;
/** What may wait before there is no room. */
const READY_BYTES = 100;
/** Waits that bring nothing about: past this, the guest hangs. */
const WAITS_MAX = 10_000;

/** Thrown by `exit`, which never returns. */
export class Exited extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}

export interface FakeMachineOptions {
  readonly commandLine?: string;
  /** RAM from 1 MiB up. */
  readonly ramBytes?: number;
  /** False: a machine without a balloon. */
  readonly device?: Omit<MachineOptions, "memory"> | false;
  /** Default: both; a bit each. */
  readonly serialPorts?: number;
  /** Default 0: no messages. */
  readonly messageAddress?: number;
  /** Into whose slots devices are plugged. Default: none. */
  readonly chipset?: FakeChipset;
  /** Whether the image has a program of the user's. Default: no. */
  readonly hasProgram?: boolean;
  /** The script of the policy in the image. Default: there is none. */
  readonly policy?: (view: string) => string;
  /** What its caches offer. */
  readonly offers?: number;
}

export class FakeMachine implements Machine {
  readonly core: CoreExports;
  readonly device: Device | undefined;
  /** What was written, by port. */
  readonly written = { 1: "", 2: "" };
  readonly faults: number[] = [];
  /** Messages between the driver and the user's program. */
  readonly toProgram: unknown[] = [];
  /** How often the program's garbage was collected. */
  collections = 0;
  readonly fromProgram: string[] = [];
  readonly memory: WebAssembly.Memory;
  private readonly options: FakeMachineOptions;
  private readonly ramBytes: number;
  /** What is listened to. */
  readonly lines = new Set<number>();
  /** While false, what is sent waits. */
  reads = true;
  private readonly waiting = { 1: "", 2: "" };
  private readonly inboxes = { 1: "", 2: "" };
  private clockMs = 0;
  private waits = 0;
  private growing = false;

  constructor(options: FakeMachineOptions = {}) {
    this.options = options;
    this.ramBytes = options.ramBytes ?? 16 * 1024 * 1024;
    const pages = Math.ceil((0x100000 + this.ramBytes) / WASM_PAGE);
    this.memory = new WebAssembly.Memory({ initial: pages });
    this.core = instantiateCore(this.memory);
    if (options.device === false) return;
    this.device = createMachine({ ...options.device, memory: this.memory });
  }

  /** The replies so far, parsed. */
  get replies(): Record<string, unknown>[] {
    return this.written[2]
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  }

  get log(): string[] {
    return this.written[1].split("\n").slice(0, -1);
  }

  /** Bytes for a port of the guest, as text of characters below U+0100. */
  send(bytes: string, port: 1 | 2 = 2): void {
    this.inboxes[port] += bytes;
  }

  /** The host looks again, and reads all that has waited. */
  read(): void {
    this.reads = true;
    for (const port of [1, 2] as const) {
      this.written[port] += this.waiting[port];
      this.waiting[port] = "";
    }
  }

  portRead(port: number, width: Width): number {
    const answer = this.options.chipset?.read(port, width);
    return answer ?? this.device?.hal.portRead(port, width) ?? 2 ** (8 * width) - 1;
  }

  portWrite(port: number, width: Width, value: number): void {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * width)) {
      throw new Error(`portWrite: ${value} in ${width} bytes`);
    }
    if (this.options.chipset?.write(port, value)) return;
    this.device?.hal.portWrite(port, width, value);
  }

  memoryRead(address: number, width: Width): number {
    const view = new DataView(this.memory.buffer);
    if (address + width > view.byteLength) {
      return this.device?.hal.mmioRead(address, width) ?? 2 ** (8 * width) - 1;
    }
    if (width === 1) return view.getUint8(address);
    return width === 2 ? view.getUint16(address, true) : view.getUint32(address, true);
  }

  memoryWrite(address: number, width: Width, value: number): void {
    if (address < this.memory.buffer.byteLength) throw new Error("memoryWrite: into RAM");
    this.device?.hal.mmioWrite(address, width, value);
  }

  now(): number {
    return this.device?.nowMs ?? this.clockMs;
  }

  listen(line: number): void {
    if (!Number.isInteger(line) || line < 1 || line > 30) throw new Error(`listen: ${line}`);
    this.lines.add(line);
  }

  memoryEnd(): number {
    return 2 ** 32;
  }

  /** There is no I/O APIC. */
  connect(): 0 {
    return 0;
  }

  acpiRoot(): number {
    return 0;
  }

  messageAddress(): number {
    return this.options.messageAddress ?? 0;
  }

  waitForInterrupt(untilMs: number): number {
    if (Number.isNaN(untilMs)) throw new Error("waitForInterrupt: until when?");
    if (++this.waits > WAITS_MAX) throw new Error("waitForInterrupt: the guest waits for ever");
    return this.work(untilMs);
  }

  /** The lines that are up and listened to, but for the reference device's. */
  get asking(): number {
    const chipset = this.lines.has(SCI_LINE) && this.options.chipset?.asks;
    return this.serialLines | (chipset ? 1 << SCI_LINE : NO_LINES);
  }

  /** A port asks when a line or much of one is there, and it is ready. */
  private get serialLines(): number {
    let asking = NO_LINES;
    for (const port of [1, 2] as const) {
      const inbox = this.inboxes[port];
      const isWorth = inbox.includes("\n") || inbox.length >= 1024;
      const line = SERIAL_LINES[port];
      if (isWorth && this.lines.has(line) && this.serialRoom(port) > 0) asking |= 1 << line;
    }
    return asking;
  }

  /** Lets the device work and time pass until then; answers the lines that ask. */
  work(untilMs: number): number {
    this.device?.run();
    const { asking } = this;
    if (asking !== 0 || this.device?.interruptPending) return asking;
    const leftMs = Math.min(untilMs, this.now() + 1000) - this.now();
    if (leftMs > 0) {
      this.device?.advance(leftMs);
      this.clockMs += leftMs;
    }
    return NO_LINES;
  }

  serialPorts(): number {
    return this.options.serialPorts ?? 3;
  }

  serialWrite(port: 1 | 2, text: string): void {
    if (!/^[^\r\n]*\n$/.test(text)) throw new Error("serialWrite: not one line");
    if (this.reads) this.written[port] += text;
    else this.waiting[port] += text;
  }

  serialSend(port: 1 | 2, text: string): void {
    if ((this.serialPorts() & port) === 0) throw new Error(`serialSend: there is no port ${port}`);
    if (!/^[\x20-\x7e]*\n$/.test(text)) throw new Error("serialSend: not a line of ASCII");
    if (this.serialRoom(port) === 0) throw new Error("serialSend: no room");
    this.serialWrite(port, text);
  }

  serialRoom(port: 1 | 2): number {
    return Math.max(0, READY_BYTES - this.waiting[port].length);
  }

  serialRead(port: 1 | 2): string {
    if (!this.lines.has(SERIAL_LINES[port])) throw new Error("serialRead: not listened to");
    // As a serial port does: a few bytes at once, and no more than a line.
    const inbox = this.inboxes[port];
    const bytes = inbox.slice(0, Math.min(14, inbox.indexOf("\n") + 1 || 14));
    this.inboxes[port] = inbox.slice(bytes.length);
    return bytes;
  }

  commandLine(): string {
    return this.options.commandLine ?? "";
  }

  commandLineBytes(): number {
    return new TextEncoder().encode(this.commandLine()).length;
  }

  memoryMap(): MemoryRegion[] {
    return [
      { base: FRAME, size: 0x9f000 - FRAME, kind: "reserved" },
      { base: 0x100000, size: this.ramBytes, kind: "available" },
    ];
  }

  footprint(): Footprint {
    return {
      kernelBytes: 0,
      stackFreeBytes: 0,
      engineBytes: 0,
      engineFrames: 0,
      poolFrames: 0,
      poolFreeFrames: 0,
    };
  }

  growFromLedger(): void {
    if (this.growing || this.core.ledger_frames() === 0) throw new Error("growFromLedger: not now");
    this.growing = true;
  }

  exit(code: number): never {
    if (!Number.isInteger(code) || code < 0 || code > 127) throw new Error(`exit: ${code}`);
    throw new Exited(code);
  }

  fillFrames(first: number, count: number, seed: number): void {
    this.words(first, count, (words, at, word) => {
      words[at] = word ^ seed;
    });
  }

  verifyFrames(first: number, count: number, seed: number): number {
    let wrong = 0;
    this.words(first, count, (words, at, word) => {
      const difference = ((words[at] ?? 0) ^ word ^ seed) >>> 0;
      for (let byte = 0; byte < 4; byte++) {
        if ((difference >>> (8 * byte)) & 0xff) wrong += 1;
      }
    });
    return wrong;
  }

  /** There is no limit here: a script that never ends would hang the test. */
  evaluate(script: string, limitMs: number): string {
    if (!(limitMs >= 1)) throw new Error(`evaluate: within ${limitMs} ms`);
    // biome-ignore lint/security/noGlobalEval: running the user's script is what this is for.
    return String(globalThis.eval(script));
  }

  programSend(message: string): void {
    this.toProgram.push(JSON.parse(message));
  }

  programReceive(): string | undefined {
    return this.fromProgram.shift();
  }

  programFreed(): boolean {
    return false;
  }

  programOffers(): number {
    return this.options.offers ?? 0;
  }

  programCollect(): void {
    this.collections += 1;
  }

  policyName(): string | undefined {
    return this.options.policy === undefined ? undefined : "mine";
  }

  policyDecide(view: string): string {
    const { policy } = this.options;
    if (policy === undefined) throw new Error("policyDecide: no policy");
    return policy(view);
  }

  hasProgram(): boolean {
    return this.options.hasProgram ?? false;
  }

  provoke(fault: number): void {
    this.faults.push(fault);
  }

  private words(
    first: number,
    count: number,
    visit: (words: Uint32Array, at: number, word: number) => void,
  ): void {
    if (count < 1 || count > CALL_FRAMES_MAX) throw new Error(`frames: ${count} in one call`);
    if (this.core.ledger_uniform(first, count, USED) === 0) {
      throw new Error(`frames ${first} to ${first + count - 1} are not all in use`);
    }
    const words = new Uint32Array(this.memory.buffer, first * FRAME, (count * FRAME) / 4);
    for (let at = 0; at < words.length; at++) {
      visit(words, at, Math.imul(first * FRAME + 4 * at, 0x9e3779b1) >>> 0);
    }
  }
}
