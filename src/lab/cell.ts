/**
 * One cell of the experiment: one persona of the driver on one design of a host, by one script, and
 * what the device's trace, its memory and the guest's own data say happened.
 *
 *   start      with some paths, the guest is migrated before the driver accepts any feature
 *   inflate    the host wants half of the memory
 *   migrate    with some paths, the guest is migrated
 *   deflate    the host gives half of that back. Before it answers, the guest uses every frame
 *              that it has, and the host takes away every page that it holds unlocked
 *   check      the host takes away once more what is unlocked; the guest checks its data
 *   inflate    the guest frees its frames, and the host wants half of the memory again
 */
import { featureBits, featureSet, formatFeatures } from "../../runtime/abi.ts";
import {
  BallonetError,
  type Dialect,
  type ErrorCode,
  type PersonaName,
} from "../../runtime/index.ts";
import {
  createMachine,
  formatEntry,
  type HostDesignName,
  IncomingStreamError,
  type Machine,
  type MachineOptions,
  type MemoryPoint,
  type RuleId,
  type Trace,
} from "../device/index.ts";
import type { CoreSource } from "../embed/options.ts";
import { hostOf, type MigrationPath, type MigrationPathName, migrationPaths } from "./paths.ts";
import { ReferenceVm } from "./vm/reference-vm.ts";

/** Which cell to run. */
export interface CellOptions {
  readonly persona: PersonaName;
  readonly host: HostDesignName;
  /** The migration. Default `none`. */
  readonly path?: MigrationPathName;
  /** `two-bit`: the driver knows the experiment's bits. Default `standard`. */
  readonly dialect?: Dialect;
  /** core.wasm. Default: this package's own. */
  readonly core?: CoreSource;
  readonly signal?: AbortSignal;
}

/** A moment of the script, for a timeline. */
export interface CellMark {
  readonly ms: number;
  readonly what: string;
}

/** The guest used a page that the host held. */
export interface CellTouch {
  readonly pfn: number;
  /** The page's state: `inflating`, `held` or `deflating`. */
  readonly state: string;
  readonly unlocked: boolean;
  /** Whether the host had taken the page away. */
  readonly lost: boolean;
  readonly ms: number;
  /** The line of the device's trace. */
  readonly line: string;
}

/** The facts of one cell, as plain values. */
export interface CellResult {
  readonly persona: PersonaName;
  readonly host: HostDesignName;
  readonly path: MigrationPathName;
  readonly dialect: Dialect;
  /** What came of the migration; absent when there was none. */
  readonly migration?: {
    readonly worked: boolean;
    /** Why the second host refused the guest, and which features it lacks. */
    readonly error?: string;
    readonly bits?: readonly string[];
    /** Whether the driver had to read the features again. */
    readonly renegotiated: boolean;
  };
  /** Why the device did not come up; the other facts are then those of that moment. */
  readonly refused?: { readonly code: ErrorCode; readonly message: string };
  /** Names of features. */
  readonly offered: readonly string[];
  readonly negotiated: readonly string[];
  /** What the negotiated features ask of the driver, and allow to driver and host. */
  readonly mustTellFirst: boolean;
  readonly mayBeSilent: boolean;
  readonly mayUnlock: boolean;
  readonly pages: {
    readonly total: number;
    /** With the balloon inflated: pages in it, locked pages, and pages that can be taken away. */
    readonly inflated: number;
    readonly locked: number;
    readonly unlocked: number;
    /** Pages that the guest took back, and how many of them the host was told of. */
    readonly takenBack: number;
    readonly told: number;
  };
  readonly touches: {
    /** Pages that the guest used before it told the host, and before the host answered. */
    readonly untold: number;
    readonly unanswered: number;
    /** How many of both were unlocked then, and how many the host had taken away. */
    readonly faults: number;
    readonly lost: number;
    /** The first touches. */
    readonly list: readonly CellTouch[];
  };
  /** Frames in which the guest did not find the data that it had written. */
  readonly damagedFrames: number;
  readonly verdicts: readonly { readonly rule: RuleId; readonly times: number }[];
  readonly marks: readonly CellMark[];
  readonly timeline: readonly MemoryPoint[];
}

/** 16 MiB of frames, of which the host wants half: whole buffers and units of every persona. */
const FRAMES = 4096;
/** All frames of the machine; the driver's arena takes some. */
const ALL_FRAMES = 5120;
const INFLATED_PAGES = 2048;
const DEFLATED_PAGES = 1024;
/** The reserve that the driver leaves the guest. */
const RESERVE_PAGES = 64;
/** Frames that the guest holds all the time. */
const WORKLOAD_FRAMES = 512;
/** How long the host takes to answer: long enough for a guest to use pages too early. */
const ANSWER_MS = 20;
const SEED = 1;
/** How long the driver waits between reading and accepting features, to be migrated then. */
const PAUSE_MS = 50;
/** The trace keeps the whole run, so that each touch has its line. */
const TRACE_LIMIT = 65_536;

/**
 * Runs one cell, in some 100 ms. What a driver or a device refuses is in the result.
 * @throws the reason of `signal` when it aborts.
 */
export async function runCell(options: CellOptions): Promise<CellResult> {
  const run = new CellRun(options);
  await run.play();
  return run.result();
}

class CellRun {
  private readonly options: CellOptions;
  private readonly path: MigrationPath;
  private readonly marks: CellMark[] = [];
  /** Every machine that the guest ran on, oldest first. */
  private readonly machines: Machine[] = [];
  private migration: Pick<Migration, "worked" | "error" | "bits"> | undefined;
  private refused: CellResult["refused"] | undefined;
  private atInflated = { inflated: 0, locked: 0, unlocked: 0 };
  private takenBack = 0;
  private told = 0;
  private damaged = new Set<number>();
  private grown = 0;

  constructor(options: CellOptions) {
    this.options = options;
    this.path = migrationPaths[options.path ?? "none"];
  }

  async play(): Promise<void> {
    const { persona, dialect = "standard", core, signal } = this.options;
    const pauseAfterFeaturesMs = this.path.when === "reading" ? PAUSE_MS : 0;
    const settings = { persona, dialect, reservePages: RESERVE_PAGES, pauseAfterFeaturesMs };
    const machine = (memory: WebAssembly.Memory) => this.makeMachine(memory, this.path.from);
    try {
      const vm = await ReferenceVm.create({ frames: FRAMES, settings, core, machine });
      signal?.throwIfAborted();
      this.bringUp(vm);
      if (this.refused === undefined) this.script(vm);
    } catch (error) {
      if (!(error instanceof BallonetError)) throw error;
      this.refused = { code: error.code, message: error.message };
      this.noteInflated();
    }
  }

  /** The rest of bring-up, where it pauses after the features were read. */
  private bringUp(vm: ReferenceVm): void {
    this.migrate(vm, "reading");
    while (vm.balloon.status().state === "starting") {
      vm.machine.advance(1);
      vm.balloon.step();
    }
    const { state, lastError } = vm.balloon.status();
    if (state !== "running") this.refused = lastError;
  }

  /** Migrates the guest, if the path says so. It stays when the other host does not accept it. */
  private migrate(vm: ReferenceVm, when: MigrationPath["when"]): void {
    const { to, adoptOffer } = this.path;
    if (to === undefined || this.path.when !== when || this.migration !== undefined) return;
    this.mark(vm, "the guest is migrated");
    try {
      vm.migrate((memory, incoming) => this.makeMachine(memory, to, { incoming, adoptOffer }));
      this.migration = { worked: true };
    } catch (error) {
      if (!(error instanceof IncomingStreamError)) throw error;
      this.mark(vm, "the other host does not take it");
      this.migration = { worked: false, error: error.seen, bits: error.missing };
    }
  }

  private script(vm: ReferenceVm): void {
    vm.settle();
    vm.guest.grow(WORKLOAD_FRAMES, SEED);
    this.aim(vm, INFLATED_PAGES);
    vm.settle();
    this.noteInflated();
    this.migrate(vm, "rest");
    // From now on the guest has no frame to spare: it uses what it takes back.
    vm.guest.grow(FRAMES, SEED);
    this.takeBack(vm);
    this.mark(vm, "the host takes away what is unlocked");
    vm.machine.reclaim();
    this.look(vm);
    vm.guest.shrink(this.grown + RESERVE_PAGES);
    this.aim(vm, INFLATED_PAGES);
    vm.settle();
    this.look(vm);
    vm.machine.check({ memoryShort: true });
  }

  private noteInflated(): void {
    const { memory, heldPages } = this.machine;
    this.atInflated = { inflated: heldPages, locked: memory.locked, unlocked: memory.unlocked };
  }

  /** The host sets a lower target; the guest uses what it gets, the host takes away what it can. */
  private takeBack(vm: ReferenceVm): void {
    const before = { held: vm.machine.heldPages, guest: vm.balloon.counts().held };
    this.aim(vm, DEFLATED_PAGES);
    vm.settle(() => {
      if (vm.machine.deflatingPages > 0) this.migrate(vm, "amid");
      const got = vm.guest.grow(FRAMES, SEED + 1);
      if (got === 0) return;
      this.grown += got;
      this.mark(vm, `the guest uses ${got} frames`);
      vm.machine.reclaim();
    });
    this.takenBack = before.guest - vm.balloon.counts().held;
    this.told = before.held - vm.machine.heldPages;
  }

  private makeMachine(
    memory: WebAssembly.Memory,
    knows: "with" | "without",
    options: Pick<MachineOptions, "incoming" | "adoptOffer"> = {},
  ): Machine {
    const answer = { kind: "late", ms: ANSWER_MS } as const;
    const machine = createMachine({
      ...options,
      ...hostOf(this.options.host, knows),
      memory,
      frames: ALL_FRAMES,
      completion: { inflate: answer, deflate: answer },
      messages: 0,
      seed: SEED,
      traceLimit: TRACE_LIMIT,
    });
    this.machines.push(machine);
    return machine;
  }

  /** The machine that the guest runs on now. */
  private get machine(): Machine {
    const machine = this.machines.at(-1);
    if (machine === undefined) throw new Error("no machine was made");
    return machine;
  }

  private aim(vm: ReferenceVm, pages: number): void {
    this.mark(vm, `the host wants ${pages} pages`);
    vm.machine.setTarget(pages);
  }

  private mark({ machine }: ReferenceVm, what: string): void {
    this.marks.push({ ms: machine.nowMs, what });
  }

  private look(vm: ReferenceVm): void {
    vm.machine.audit();
    for (const pfn of vm.guest.damaged()) this.damaged.add(pfn);
  }

  result(): CellResult {
    const { persona, host, path = "none", dialect = "standard" } = this.options;
    const { machine, machines, migration, refused } = this;
    const { memory } = machine;
    const renegotiated = machines.some(({ trace }) => /the device refused/.test(logOf(trace)));
    return {
      persona,
      host,
      path,
      dialect,
      ...(migration && { migration: { ...migration, renegotiated } }),
      ...(refused && { refused }),
      offered: names(machine.offered),
      negotiated: refused === undefined ? names(machine.negotiated) : [],
      mustTellFirst: memory.mustTellFirst,
      mayBeSilent: memory.maySilence,
      mayUnlock: memory.mayUnlock,
      pages: {
        total: memory.frames,
        ...this.atInflated,
        takenBack: this.takenBack,
        told: this.told,
      },
      touches: touchesOf(machines),
      damagedFrames: this.damaged.size,
      verdicts: verdictsOf(machines),
      marks: this.marks,
      timeline: machines.flatMap((one) => one.memory.timeline),
    };
  }
}

type Migration = NonNullable<CellResult["migration"]>;

function touchesOf(machines: readonly Machine[]): CellResult["touches"] {
  const sums = { untold: 0, unanswered: 0, faults: 0, lost: 0 };
  for (const { memory } of machines) {
    sums.untold += memory.counted.untold;
    sums.unanswered += memory.counted.unanswered;
    sums.faults += memory.counted.unlocked;
    sums.lost += memory.counted.lost;
  }
  const list = machines.flatMap(({ memory, trace }) =>
    memory.touches.map(({ at: _at, entry, ...touch }): CellTouch => {
      const found = trace.at(entry);
      return { ...touch, line: found === undefined ? "" : formatEntry(found) };
    }),
  );
  return { ...sums, list };
}

function verdictsOf(machines: readonly Machine[]): CellResult["verdicts"] {
  const all = machines.flatMap(({ verdicts }) => verdicts.map(({ rule }) => rule));
  return [...new Set(all)].sort().map((rule) => {
    const times = machines.reduce((sum, machine) => sum + machine.broken(rule), 0);
    return { rule, times };
  });
}

/** The driver's log. */
function logOf(trace: Trace): string {
  const said = trace.entries().filter(({ kind }) => kind === "log");
  return said.map(({ what }) => what).join("\n");
}

function names(features: bigint): string[] {
  return featureBits(features).map((bit) => formatFeatures(featureSet(bit)));
}
