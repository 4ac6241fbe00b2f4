/**
 * A device behind PCI or MMIO, of which every register is foreign: discovery, configuration space,
 * capability lists, address registers, bring-up and a minute of the driver's life. Any bytes give a
 * driver that runs, or one error; each call ends within a bounded number of accesses, and no page is
 * lost.
 *
 *   input   a byte of options; the configuration space of two functions, 256 bytes each; then what
 *           other reads return, one after the other, and zeros after that
 */
import { openMemory } from "../../../../runtime/core/arena.ts";
import { FRAME_STATES } from "../../../../runtime/core/exports.ts";
import { BallonetError } from "../../../../runtime/errors.ts";
import type { Hal, Width } from "../../../../runtime/hal.ts";
import {
  arenaBytes,
  BalloonDriver,
  discoverBalloon,
  follow,
  makeSettings,
} from "../../../../runtime/index.ts";
import { instantiateCore } from "../../../support/core-instance.ts";

const OPTION = { legacy: 1, mmio: 2, keepsWrites: 4, probe: 8, untrusted: 16, echoes: 32 } as const;
const FRAME = 4096;
const FRAMES = 600;
const SPACE_BYTES = 256;
const FUNCTIONS = ["0:1.0", "0:2.0"];
const ADDRESS_PORT = 0xcf8;
const DATA_PORT = 0xcfc;
const STEPS = 40;
const STEP_MS = 1500;
/** Of one call: a search of all functions of all buses, with room to spare. */
const ACCESSES_MAX = 200_000;
const memory = new WebAssembly.Memory({ initial: 64 });
const core = instantiateCore(memory);

class ForeignMachine implements Hal {
  readonly hal = this;
  accesses = 0;
  private at = 1 + FUNCTIONS.length * SPACE_BYTES;
  private selected = 0;
  private clockMs = 0;
  private readonly input: Uint8Array;
  private readonly spaces: readonly Uint8Array[];
  private readonly written = new Map<number, number>();

  constructor(input: Uint8Array) {
    this.input = input;
    this.spaces = FUNCTIONS.map((_, n) => {
      const space = new Uint8Array(SPACE_BYTES);
      space.set(input.subarray(1 + n * SPACE_BYTES, 1 + (n + 1) * SPACE_BYTES));
      return space;
    });
  }

  has(option: number): boolean {
    return ((this.input[0] ?? 0) & option) !== 0;
  }

  pass(ms: number): void {
    this.clockMs += ms;
    this.accesses = 0;
  }

  portRead(port: number, width: Width): number {
    this.look(port, width, 0x1_0000);
    if (port === ADDRESS_PORT) return this.selected;
    if (port < DATA_PORT || port >= DATA_PORT + 4) return this.register(port, width);
    const space = this.selectedSpace();
    const offset = (this.selected & 0xfc) + (port & 3);
    let value = 0;
    for (let n = width - 1; n >= 0; n--) value = value * 256 + (space?.[offset + n] ?? 0xff);
    return value;
  }

  portWrite(port: number, width: Width, value: number): void {
    this.look(port, width, 0x1_0000);
    this.check(value, width);
    if (port === ADDRESS_PORT) this.selected = value;
    else if (port < DATA_PORT || port >= DATA_PORT + 4) this.written.set(port, value);
    else if (this.has(OPTION.keepsWrites)) {
      const space = this.selectedSpace();
      const offset = (this.selected & 0xfc) + (port & 3);
      for (let n = 0; n < width; n++) if (space) space[offset + n] = value / 256 ** n;
    }
  }

  mmioRead(address: number, width: Width): number {
    this.look(address, width, Number.MAX_SAFE_INTEGER);
    return this.register(address, width);
  }

  mmioWrite(address: number, width: Width, value: number): void {
    this.look(address, width, Number.MAX_SAFE_INTEGER);
    this.check(value, width);
    this.written.set(address, value);
  }

  now(): number {
    return this.clockMs;
  }

  log(): void {}

  /** What the driver wrote there, where the device is one that keeps it; else what is foreign. */
  private register(address: number, width: Width): number {
    const kept = this.has(OPTION.echoes) ? this.written.get(address) : undefined;
    if (kept !== undefined) return kept % 2 ** (8 * width);
    let value = 0;
    for (let n = 0; n < width; n++) value += (this.input[this.at++] ?? 0) * 256 ** n;
    return value;
  }

  private selectedSpace(): Uint8Array | undefined {
    const [bus, device, number] = [16, 11, 8].map((shift) => this.selected >>> shift) as [
      number,
      number,
      number,
    ];
    const name = `${bus & 0xff}:${device & 0x1f}.${number & 7}`;
    return this.spaces[FUNCTIONS.indexOf(name)];
  }

  private look(at: number, width: Width, end: number): void {
    this.accesses += 1;
    if (this.accesses > ACCESSES_MAX) throw new Error(`more than ${ACCESSES_MAX} accesses`);
    if (Number.isSafeInteger(at) && at >= 0 && at + width <= end) return;
    throw new Error(`an access of ${width} bytes at ${at}`);
  }

  private check(value: number, width: Width): void {
    if (Number.isInteger(value) && value >= 0 && value < 2 ** (8 * width)) return;
    throw new Error(`${value} written in ${width} bytes`);
  }
}

function checkSums(): void {
  const sum = FRAME_STATES.reduce((total, _, state) => total + core.ledger_count(state), 0);
  if (sum !== FRAMES + 1) throw new Error(`${sum} frames`);
}

function live(machine: ForeignMachine): void {
  const settings = makeSettings({
    ...(machine.has(OPTION.untrusted) && { host: "untrusted" }),
    ...{ queueSizeMax: 8, buffersInFlight: 2, pfnsPerBuffer: 16, reservePages: 8 },
  });
  const { transport } = discoverBalloon({
    hal: machine,
    prefer: machine.has(OPTION.legacy) ? "legacy" : "modern",
    probe: machine.has(OPTION.probe),
    ...(machine.has(OPTION.mmio) && { commandLine: "virtio_mmio.device=512@0xfeb00000:5" }),
  });
  const ram = [{ start: FRAME, bytes: FRAMES * FRAME }];
  const bytes = arenaBytes({ core, settings, ram });
  openMemory({ core, settings, arena: { start: (FRAMES + 1) * FRAME, bytes }, ram });
  const policy = follow(settings.follow);
  const driver = new BalloonDriver({ hal: machine, core, transport, settings, policy });
  driver.start();
  for (let step = 0; step < STEPS; step++) {
    if (step % 3 === 0) driver.interrupt();
    const next = driver.step();
    if (Number.isNaN(next)) throw new Error("a step that does not say when to call again");
    checkSums();
    machine.pass(STEP_MS);
  }
  driver.stop();
  driver.step();
  checkSums();
}

export function run(input: Uint8Array): void {
  try {
    live(new ForeignMachine(input));
  } catch (error) {
    if (!(error instanceof BallonetError)) throw error;
  }
}
