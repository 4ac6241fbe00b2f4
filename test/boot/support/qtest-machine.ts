/**
 * A QEMU machine whose processor halts at once, driven from here: ports, memory and devices are
 * real.
 *
 * Its firmware is one instruction, so nothing has an address yet; firmware of QEMU's own can be had
 * too. QEMU's test protocol goes over two named pipes, so that every access is synchronous, as a
 * Hal must be. No read waits without a bound, and the process and its pipes are gone when `close`
 * returns.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hal, InterruptMessage, Width } from "../../../runtime/hal.ts";

const ANSWER_MS = 20_000;
const NAP_MS = 1;
/** A machine outlives its test by no more than this, also when the test is killed. */
const LIFE_LIMIT = "120s";
/** `hlt`, wherever it starts; interrupts are off after a reset. */
const FIRMWARE = Buffer.alloc(0x1_0000, 0xf4);
const LETTERS = { 1: "b", 2: "w", 4: "l" } as const;

function nap(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, NAP_MS);
}

export interface QtestMachineOptions {
  readonly qemu: string;
  /** Machine and devices. */
  readonly args: readonly string[];
  /** How many messages the machine hands out. Default 0: lines only. */
  readonly messagesMax?: number;
  /** Let QEMU's firmware run, which sets the machine up. */
  readonly ownFirmware?: boolean;
}

export class QtestMachine {
  readonly log: string[] = [];
  /** Messages that devices may send: they arrive as words in guest memory. */
  readonly messages: InterruptMessage[] = [];
  readonly hal: Hal;
  private readonly folder = mkdtempSync(join(tmpdir(), "qtest-"));
  private readonly complaints = join(this.folder, "stderr");
  private readonly child: ChildProcess;
  private readonly toQemu: number;
  private readonly fromQemu: number;
  private received = "";

  constructor({ qemu, args, messagesMax = 0, ownFirmware = false }: QtestMachineOptions) {
    const pipe = join(this.folder, "pipe");
    execFileSync("mkfifo", [`${pipe}.in`, `${pipe}.out`]);
    const firmware = join(this.folder, "halt.bin");
    writeFileSync(firmware, FIRMWARE);
    const common = ["-nodefaults", "-display", "none", "-accel", "tcg", "-m", "64"];
    const control = ["-qtest", `pipe:${pipe}`, "-qtest-log", "none"];
    const bios = ownFirmware ? [] : ["-bios", firmware];
    const command = [qemu, ...common, ...control, ...bios, ...args];
    this.child = spawn("timeout", [LIFE_LIMIT, ...command], {
      stdio: ["ignore", "ignore", openSync(this.complaints, "w")],
    });
    this.toQemu = openSync(`${pipe}.in`, constants.O_RDWR);
    this.fromQemu = openSync(`${pipe}.out`, constants.O_RDWR | constants.O_NONBLOCK);
    this.hal = {
      portRead: (port, width) => this.number(`in${LETTERS[width]} ${port}`),
      portWrite: (port, width, value) => this.ask(`out${LETTERS[width]} ${port} ${value}`),
      mmioRead: (address, width) => this.number(`read${LETTERS[width]} ${address}`),
      mmioWrite: (address, width, value) => this.ask(`write${LETTERS[width]} ${address} ${value}`),
      now: () => performance.now(),
      log: (level, line) => this.log.push(`${level} ${line}`),
      interrupts: { allocate: (count) => this.allocate(count, messagesMax) },
    };
  }

  private allocate(count: number, most: number): InterruptMessage[] | undefined {
    if (this.messages.length + count > most) return undefined;
    const first = this.messages.length;
    const fresh = Array.from({ length: count }, (_, index) => ({
      address: 0x8000 + 16 * (first + index),
      data: 0xa0 + first + index,
    }));
    this.messages.push(...fresh);
    return fresh;
  }

  /** Which messages came since they were last asked for. */
  arrived(): number[] {
    return this.messages.flatMap(({ address, data }, index) => {
      if (this.hal.mmioRead(address, 4) !== data) return [];
      this.hal.mmioWrite(address, 4, 0);
      return [index];
    });
  }

  /** Looks until it is true, or gives up. */
  until(condition: () => boolean): boolean {
    const end = performance.now() + ANSWER_MS;
    while (!condition()) {
      if (performance.now() > end) return false;
      nap();
    }
    return true;
  }

  write(address: number, width: Width, value: number): void {
    this.hal.mmioWrite(address, width, value);
  }

  clear(address: number, bytes: number): void {
    this.ask(`memset ${address} ${bytes} 0`);
  }

  private number(command: string): number {
    return Number(BigInt(this.ask(command)) & 0xffff_ffffn);
  }

  private ask(command: string): string {
    writeSync(this.toQemu, `${command}\n`);
    const end = performance.now() + ANSWER_MS;
    for (;;) {
      const at = this.received.indexOf("\n");
      if (at >= 0) {
        const line = this.received.slice(0, at);
        this.received = this.received.slice(at + 1);
        if (line.startsWith("IRQ ")) continue;
        if (!line.startsWith("OK")) throw new Error(`${command}: ${line}`);
        return line.slice(3);
      }
      if (this.hasEnded() || performance.now() > end) {
        throw new Error(`${command}: no answer. ${readFileSync(this.complaints, "utf8")}`);
      }
      this.receive();
    }
  }

  /** The event loop is not running meanwhile, so that the process's own word never comes. */
  private hasEnded(): boolean {
    return readFileSync(`/proc/${this.child.pid}/stat`, "latin1").includes(") Z ");
  }

  private receive(): void {
    const buffer = Buffer.alloc(4096);
    try {
      this.received += buffer.toString("latin1", 0, readSync(this.fromQemu, buffer));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      nap();
    }
  }

  async close(): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      if (this.child.exitCode !== null || this.child.signalCode !== null) resolve();
      else this.child.once("exit", () => resolve());
    });
    this.child.kill();
    await gone;
    closeSync(this.toQemu);
    closeSync(this.fromQemu);
    rmSync(this.folder, { recursive: true });
  }
}
