/**
 * Driver, core and reference device with six frames and rings of two: a world so small that all of
 * its states can be looked at.
 *
 * Everything that the outside can do is an action of its own: the host's target, each answer of the
 * device in any order, an interrupt that comes, comes late or is lost, the guest's need of memory,
 * time, and resets. Frames are alike where a buffer has one page, so a state is known by how many
 * frames are in which pair of states.
 */
import type * as Runtime from "../../../runtime/index.ts";
import { createMachine, type Machine, profiles } from "../../../src/device/index.ts";
import { SLOT_WORD } from "../../support/vm.ts";
import { agreeOnFrames, atMost, equal } from "../driver/agreement.ts";
import { GLOBAL_NAME } from "./open-globals.ts";
import type { World } from "./search.ts";
import { Snapshots } from "./snapshots.ts";

/** A build of the driver: its core, with open globals, and its runtime. */
export interface Build {
  readonly core: WebAssembly.Module;
  readonly runtime: typeof Runtime;
}

export interface SmallSetup {
  readonly frames: number;
  readonly pfnsPerBuffer: number;
  readonly ringSize: number;
  readonly deflateMode: "tell-first" | "use-first";
  readonly offer: {
    readonly mustTellHost: boolean;
    readonly statsVq: boolean;
    readonly deflateOnOom: boolean;
    readonly eventIdx: boolean;
    readonly packed: boolean;
    readonly inOrder: boolean;
  };
  readonly targets: readonly number[];
}

const POLL_MS = 1000;
/** Ages beyond this are alike: no wait of this world is longer. */
const AGE_MAX = 3;
/** Rounds in which a world of this size comes to rest, and to spare. */
const ROUNDS_MAX = 80;
const QUIET_ROUNDS = 3;
const NEEDS_RESETS_MAX = 1;
const PATTERN = 0x5a00_0000;
const QUEUES = 3;
const [INFLATEQ, DEFLATEQ] = [0, 1];
const { base } = profiles.strict.mmio;
const INTERRUPT_STATUS = 0x60;
const INTERRUPT_ACK = 0x64;
const PATTERN_OFFSETS = [0, 2048, 4092];
/** Seven frames and what the smallest rings and arrays take. */
const WASM_PAGES = 2;

/** What this world itself remembers; a snapshot finds it here. */
interface Own {
  used: number[];
  needsResets: number;
}

export class BalloonWorld implements World {
  readonly snapshots: Snapshots;
  readonly machine: Machine;
  private readonly setup: SmallSetup;
  private readonly build: Build;
  private readonly core: Runtime.CoreExports;
  private readonly driver: Runtime.BalloonDriver;
  private readonly frames: Runtime.Frames;
  private readonly view: DataView;
  private readonly endFrame: number;
  private readonly own: Own = { used: [], needsResets: 0 };

  constructor(build: Build, setup: SmallSetup) {
    const { makeSettings, arenaBytes, openMemory, discoverBalloon } = build.runtime;
    const { BalloonDriver, Frames, FRAME_BYTES, follow } = build.runtime;
    const { frames, pfnsPerBuffer, ringSize, deflateMode, offer } = setup;
    this.setup = setup;
    this.build = build;
    const memory = new WebAssembly.Memory({ initial: WASM_PAGES });
    const imports = { env: { memory }, hal: { fence: () => {}, fill: () => {} } };
    const { exports } = new WebAssembly.Instance(build.core, imports);
    this.core = exports as unknown as Runtime.CoreExports;
    this.view = new DataView(memory.buffer);
    const settings = makeSettings({
      ...{ deflateMode, queueSizeMax: Math.max(2, ringSize), buffersInFlight: 2, pfnsPerBuffer },
      ...{ reservePages: 0, pollMs: POLL_MS },
      ...(!offer.mustTellHost && { mustTellHost: "decline" }),
    });
    const ram = [{ start: FRAME_BYTES, bytes: frames * FRAME_BYTES }];
    this.endFrame = 1 + frames;
    const arena = {
      start: this.endFrame * FRAME_BYTES,
      bytes: arenaBytes({ core: this.core, settings, ram }),
    };
    const late = { kind: "scattered", ms: 1_000_000 } as const;
    this.machine = createMachine({
      ...{ memory, frames: this.endFrame + arena.bytes / FRAME_BYTES, transport: "mmio" },
      ...{ ringSize, offer, completion: { inflate: late, deflate: late }, traceLimit: 0 },
    });
    openMemory({ core: this.core, settings, arena, ram });
    const { hal } = this.machine;
    const { transport } = discoverBalloon({ hal, commandLine: SLOT_WORD });
    const policy = follow({ retryMs: 1000, retryMostMs: 2000, holdOffMs: 2000, jitter: 0 });
    this.driver = new BalloonDriver({ hal, core: this.core, settings, transport, policy });
    this.frames = new Frames(this.core);
    this.driver.start();
    this.step();
    const globals = Object.entries(exports).filter(([name]) => name.startsWith(GLOBAL_NAME));
    this.snapshots = new Snapshots({
      roots: [this.machine, this.driver, this.own],
      constant: [this.machine.profile, settings, memory, exports],
      memory,
      globals: globals.map(([, global]) => global as WebAssembly.Global),
    });
  }

  actions(): readonly string[] {
    const { machine, driver, own, setup } = this;
    const actions = ["wake", "allocate"];
    if (machine.interruptPending) actions.push("interrupt", "lost");
    for (let n = 0; n < machine.planned; n++) actions.push(`answer ${n}`);
    for (const pages of setup.targets) {
      if (pages !== machine.target) actions.push(`target ${pages}`);
    }
    if (own.used.length > 0) actions.push("free");
    // A guest that sleeps over a request is late with its answer, which is not the driver's fault.
    if (!machine.stats.waiting) actions.push("time");
    if (setup.offer.statsVq && !machine.stats.waiting) actions.push("statistics");
    if (driver.stateName === "running") {
      actions.push("stop");
      if (own.needsResets < NEEDS_RESETS_MAX) actions.push("needs reset");
    } else if (driver.stateName === "stopped") actions.push("start");
    return actions;
  }

  act(action: string): void {
    const [name, number = "0"] = action.split(" ");
    const { machine, driver, own } = this;
    switch (name) {
      case "wake":
        this.step();
        break;
      case "interrupt":
        driver.interrupt();
        this.step();
        break;
      case "lost":
        // Somebody else on the line has taken it for his own.
        machine.hal.mmioWrite(base + INTERRUPT_ACK, 4, this.interruptStatus());
        break;
      case "answer":
        machine.runEarly(Number(number));
        break;
      case "target":
        machine.setTarget(Number(number));
        break;
      case "time":
        machine.advance(POLL_MS);
        break;
      case "allocate":
        this.allocate();
        break;
      case "free":
        this.free();
        break;
      case "statistics":
        machine.requestStats();
        break;
      case "needs":
        own.needsResets += 1;
        machine.inject({ name: "needs-reset" });
        break;
      case "stop":
        driver.stop();
        this.step();
        break;
      case "start":
        driver.start();
        this.step();
        break;
      default:
        throw new Error(`no action "${action}"`);
    }
  }

  private interruptStatus(): number {
    return this.machine.hal.mmioRead(base + INTERRUPT_STATUS, 4);
  }

  private step(): void {
    const { driver, machine } = this;
    const next = driver.step();
    if (driver.stateName !== "running") return;
    if (next === undefined) throw new Error("a running driver never wants to be called again");
    if (next <= machine.nowMs) return;
    equal("actual after a step", this.actualWritten, machine.heldPages);
  }

  /** As an embedding guest does it: ask the balloon when nothing is free, and look again. */
  private allocate(): void {
    let run = this.frames.allocate(1);
    if (run === undefined && this.driver.shortage(1)) {
      this.step();
      run = this.frames.allocate(1);
    }
    if (run === undefined) return;
    this.own.used.push(run.first);
    for (const at of this.patternOf(run.first)) this.view.setUint32(at, PATTERN | run.first, true);
  }

  private free(): void {
    const first = this.own.used.shift();
    if (first === undefined) return;
    this.frames.release({ first, length: 1 });
    this.driver.memoryFreed();
  }

  private patternOf(pfn: number): number[] {
    return PATTERN_OFFSETS.map((offset) => pfn * this.build.runtime.FRAME_BYTES + offset);
  }

  judge(): void {
    const { machine, driver, own, setup, core } = this;
    machine.audit();
    const [verdict] = machine.verdicts;
    if (verdict !== undefined) throw new Error(`${verdict.rule}: ${verdict.seen}`);
    for (const pfn of own.used) {
      for (const at of this.patternOf(pfn)) {
        equal(`word of frame ${pfn}`, this.view.getUint32(at, true), PATTERN | pfn);
      }
    }
    if (driver.stateName === "failed") throw new Error(`failed: ${driver.error?.message}`);
    const counts = this.build.runtime.frameCounts(core);
    const sum = Object.values(counts).reduce((total, count) => total + count, 0);
    equal("frames in the ledger", sum, this.endFrame);
    equal("frames in use", counts.used, own.used.length);
    equal("reserved frames", counts.reserved, this.endFrame - setup.frames);
    const unheard = core.queue_pages_in_flight(DEFLATEQ);
    atMost("actual, but for deflates unheard of", this.actualWritten - unheard, machine.heldPages);
    const { endFrame } = this;
    const ledger = new Uint8Array(this.view.buffer, endFrame * this.build.runtime.FRAME_BYTES);
    const tells = (machine.negotiated & 1n) !== 0n;
    agreeOnFrames({ machine, ledger, endFrame }, { silent: false, tells, status: driver.status() });
  }

  judgeLiveness(): void {
    const { machine, driver } = this;
    let quiet = 0;
    for (let round = 0; quiet < QUIET_ROUNDS; round++) {
      if (round > ROUNDS_MAX) throw new Error(`no rest: ${JSON.stringify(driver.status())}`);
      const interrupted = machine.interruptPending;
      if (interrupted) driver.interrupt();
      this.step();
      if (driver.stateName === "stopped") break;
      const worked = machine.run() > 0 || interrupted || machine.interruptPending;
      if (!worked) machine.advance(POLL_MS);
      quiet = worked || !this.arrived ? 0 : quiet + 1;
    }
    machine.check({ memoryShort: machine.heldPages < machine.target });
    this.judge();
  }

  /** Nothing is on its way, and the target is reached or out of reach. */
  private get arrived(): boolean {
    const { machine, driver } = this;
    if (driver.stateName !== "running" || this.targetSeen !== machine.target) return false;
    const { inflating, deflating, free } = this.build.runtime.frameCounts(this.core);
    if (inflating + deflating > 0 || machine.stats.waiting) return false;
    const actual = this.actualWritten;
    return actual === machine.target || (actual < machine.target && free === 0);
  }

  /** `actual` and the target as the driver last wrote and read them; its status costs more. */
  private get actualWritten(): number {
    const turn = fieldsOf(this.driver).turn;
    return turn === undefined ? 0 : Number(fieldsOf(fieldsOf(turn).config).actualWritten);
  }

  private get targetSeen(): number {
    return Number(fieldsOf(fieldsOf(this.driver).inputs).targetPages);
  }

  signature(): string {
    const { machine, driver, own, core, setup } = this;
    const pairs: string[] = [];
    for (let pfn = 1; pfn < this.endFrame; pfn++) {
      pairs.push(`${core.ledger_state(pfn)}${machine.pageState(pfn)[0]}`);
    }
    // With one page in a buffer no frame differs from another but by its states.
    if (setup.pfnsPerBuffer === 1) pairs.sort();
    const rings = Array.from({ length: setup.offer.statsVq ? QUEUES : 2 }, (_, q) => this.ring(q));
    return JSON.stringify([
      ...[driver.stateName, this.targetSeen, this.actualWritten, pairs, own.needsResets],
      ...[core.queue_pages_in_flight(INFLATEQ), core.queue_pages_in_flight(DEFLATEQ)],
      ...[machine.target, machine.actual, machine.status, machine.heldPages, machine.planned],
      ...[machine.interruptPending && this.interruptStatus(), machine.stats.waiting],
      ...[rings, this.waits()],
    ]);
  }

  /** A ring by what differs between its indices, which alone decides what happens. */
  private ring(queue: number): unknown {
    const { core, view, setup } = this;
    const inFlight = core.queue_buffers_in_flight(queue);
    const driverArea = core.queue_driver_area(queue) >>> 0;
    const deviceArea = core.queue_device_area(queue) >>> 0;
    if (driverArea === 0) return "none";
    const { ringSize } = setup;
    if (setup.offer.packed) {
      const bytes = deviceArea + 4 - (core.queue_descriptor_area(queue) >>> 0);
      const start = core.queue_descriptor_area(queue) >>> 0;
      return [inFlight, ...new Uint8Array(view.buffer, start, bytes)];
    }
    const posted = view.getUint16(driverArea + 2, true);
    const used = view.getUint16(deviceArea + 2, true);
    const size = queue === 2 ? Math.min(2, ringSize) : ringSize;
    const usedEvent = view.getUint16(driverArea + 4 + 2 * size, true);
    const availEvent = view.getUint16(deviceArea + 4 + 8 * size, true);
    return [
      ...[inFlight, (posted - used) & 0xffff],
      ...[(usedEvent - used) & 0xffff, (availEvent - posted) & 0xffff],
      ...[view.getUint16(driverArea, true), view.getUint16(deviceArea, true)],
    ];
  }

  /** What the driver waits for: which waits are on, and how old they are. */
  private waits(): unknown {
    const now = this.machine.nowMs;
    const turn = fieldsOf(fieldsOf(this.driver).turn);
    const inputs = fieldsOf(fieldsOf(this.driver).inputs);
    const ageOf = (ms: unknown) => {
      return typeof ms === "number" ? Math.min(AGE_MAX, Math.floor((now - ms) / POLL_MS)) : -1;
    };
    const { lastShortageMs, lastInflateMs, lastAnswerMs, lastOomMs, targetChangedMs } = inputs;
    const isShort = Number(inputs.shortages) > 0;
    const isHeldOff = typeof lastOomMs === "number" && Number(targetChangedMs) <= lastOomMs;
    return [
      ...[turn.configDue, turn.isWoken, turn.owedPages],
      Math.max(-1, Math.ceil((Number(turn.pollAtMs ?? 0) - now) / POLL_MS)),
      isHeldOff ? ageOf(lastOomMs) : -1,
      isShort && [
        ...[Math.min(2, Number(inputs.shortages)), ageOf(lastShortageMs)],
        Number(lastInflateMs ?? -1) >= Number(lastShortageMs),
        Math.max(ageOf(lastInflateMs), ageOf(lastAnswerMs)),
      ],
    ];
  }
}

/** The driver's private fields that this world looks at. */
interface Insides {
  readonly turn?: unknown;
  readonly inputs?: unknown;
  readonly config?: unknown;
  readonly actualWritten?: unknown;
  readonly targetPages?: unknown;
  readonly configDue?: unknown;
  readonly isWoken?: unknown;
  readonly owedPages?: unknown;
  readonly pollAtMs?: unknown;
  readonly shortages?: unknown;
  readonly lastShortageMs?: unknown;
  readonly lastInflateMs?: unknown;
  readonly lastAnswerMs?: unknown;
  readonly lastOomMs?: unknown;
  readonly targetChangedMs?: unknown;
}

const NOTHING: Insides = {};

function fieldsOf(object: unknown): Insides {
  return typeof object === "object" && object !== null ? object : NOTHING;
}
