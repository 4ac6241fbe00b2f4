/**
 * The laboratory of the question whether a driver has to tell first: one driver's manners on one
 * host's design, by one script, and what came of it.
 *
 *   start      and, if the path says so, a migration before any feature is accepted
 *   inflate    the host wants half of the memory, and is given it
 *   move       the guest is migrated, if the path says so
 *   deflate    the host wants half of that back in use; while it takes its time to answer, the
 *              guest uses whatever frames it has, and the host, short of memory, takes away
 *              whatever it holds unlocked
 *   rest       the host takes away once more what is unlocked; the guest looks at its data
 *   inflate    the guest gives its frames up, the host wants half of the memory again
 *
 * It must not know why anything is right or wrong: it counts. Invariant: every fact comes from the
 * device's trace, its verdicts, its memory, or the guest's own data; none is written down by hand.
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
  type Machine,
  type MachineOptions,
  type MemoryPoint,
  MigrationError,
  type RuleId,
  type Trace,
} from "../device/index.ts";
import type { CoreSource } from "../embed/load-core.ts";
import { hostOf, type MigrationPath, type MigrationPathName, migrationPaths } from "./paths.ts";
import { ReferenceVm } from "./vm/reference-vm.ts";

export interface CellOptions {
  readonly persona: PersonaName;
  readonly host: HostDesignName;
  /** Default `none`. */
  readonly path?: MigrationPathName;
  /** `two-bit`: the driver knows the experiment's bits. Default `standard`. */
  readonly dialect?: Dialect;
  /** core.wasm. Default: this package's own. */
  readonly core?: CoreSource;
  readonly signal?: AbortSignal;
}

/** Something that happened in the script, for a timeline. */
export interface CellMark {
  readonly ms: number;
  readonly what: string;
}

/** A touch of a page of the host's. */
export interface CellTouch {
  readonly pfn: number;
  readonly state: string;
  readonly unlocked: boolean;
  readonly lost: boolean;
  readonly ms: number;
  /** The trace's line. */
  readonly line: string;
}

/** What came of one cell; plain values. */
export interface CellResult {
  readonly persona: PersonaName;
  readonly host: HostDesignName;
  readonly path: MigrationPathName;
  readonly dialect: Dialect;
  /** What came of the migration; absent where there was none to be. */
  readonly migration?: {
    readonly worked: boolean;
    /** What the second host said to it, and which features it lacks. */
    readonly error?: string;
    readonly bits?: readonly string[];
    /** Whether the driver had to read the features again. */
    readonly renegotiated: boolean;
  };
  /** Why the device did not come up; the rest is then as it was before. */
  readonly refused?: { readonly code: ErrorCode; readonly message: string };
  readonly offered: readonly string[];
  readonly negotiated: readonly string[];
  /** What the driver promised and was granted, as the host reads the negotiated features. */
  readonly mustTellFirst: boolean;
  readonly mayBeSilent: boolean;
  readonly mayUnlock: boolean;
  readonly pages: {
    readonly total: number;
    /** With the balloon inflated: what the host has, and what it can take away. */
    readonly inflated: number;
    readonly locked: number;
    readonly unlocked: number;
    /** Pages taken back by the guest, and those of them that the host was told of. */
    readonly takenBack: number;
    readonly told: number;
  };
  readonly touches: {
    /** Pages used while the host held them and had not been told, or had not answered. */
    readonly untold: number;
    readonly unanswered: number;
    /** Those of all of them that were unlocked, and those that were taken away then. */
    readonly faults: number;
    readonly lost: number;
    /** The first of them. */
    readonly list: readonly CellTouch[];
  };
  /** Frames in which the guest's data was not whole any more, by its own account. */
  readonly damagedFrames: number;
  readonly verdicts: readonly { readonly rule: RuleId; readonly times: number }[];
  readonly marks: readonly CellMark[];
  readonly timeline: readonly MemoryPoint[];
}

/** 16 MiB of frames, of which the host wants half: whole buffers and units of every persona. */
const FRAMES = 4096;
/** All that the guest has, with what the driver keeps for itself. */
const ALL_FRAMES = 5120;
const INFLATED_PAGES = 2048;
const DEFLATED_PAGES = 1024;
/** What the guest keeps for itself when the balloon takes all it can get. */
const RESERVE_PAGES = 64;
/** What the guest holds all the time. */
const WORKLOAD_FRAMES = 512;
/** Long enough for a guest to use what it is not given yet. */
const ANSWER_MS = 20;
const SEED = 1;
/** Between reading the features and accepting some, where the guest is migrated then. */
const PAUSE_MS = 50;
/** All of a run, so that each touch has its line. */
const TRACE_LIMIT = 65_536;

/**
 * Runs one cell.
 * @throws only for bugs; what a driver or a device refuses is in the result.
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
  /** Each that the guest was on, in order. */
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

  /** Migrates the guest, if that is when. It stays where the other host does not take it. */
  private migrate(vm: ReferenceVm, when: MigrationPath["when"]): void {
    const { to, adoptOffer } = this.path;
    if (to === undefined || this.path.when !== when || this.migration !== undefined) return;
    this.mark(vm, "the guest is migrated");
    try {
      vm.migrate((memory, incoming) => this.makeMachine(memory, to, { incoming, adoptOffer }));
      this.migration = { worked: true };
    } catch (error) {
      if (!(error instanceof MigrationError)) throw error;
      this.mark(vm, "the other host does not take it");
      this.migration = { worked: false, error: error.message, bits: error.bits };
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

  /** The host wants less; the guest uses what it gets, and the host takes away what it can. */
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

  /** Where the guest is now. */
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

/** What the driver said. */
function logOf(trace: Trace): string {
  const said = trace.entries().filter(({ kind }) => kind === "log");
  return said.map(({ what }) => what).join("\n");
}

function names(features: bigint): string[] {
  return featureBits(features).map((bit) => formatFeatures(featureSet(bit)));
}
