/**
 * The laboratory of the question whether a driver has to tell first: one driver's manners on one
 * host's design, by one script, and what came of it.
 *
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
import {
  BallonetError,
  type Dialect,
  type ErrorCode,
  type PersonaName,
} from "../../runtime/index.ts";
import { featureBits, featureSet, formatFeatures } from "../../runtime/virtio/features.ts";
import {
  createMachine,
  formatEntry,
  type HostDesignName,
  type Machine,
  type MachineOptions,
  type MemoryPoint,
  type RuleId,
} from "../device/index.ts";
import type { CoreSource } from "../embed/core.ts";
import { ReferenceVm } from "./reference-vm.ts";

export interface CellOptions {
  readonly persona: PersonaName;
  readonly host: HostDesignName;
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
  readonly dialect: Dialect;
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
  private readonly marks: CellMark[] = [];
  private machine: Machine | undefined;
  private vm: ReferenceVm | undefined;
  private refused: CellResult["refused"];
  private atInflated = { inflated: 0, locked: 0, unlocked: 0 };
  private takenBack = 0;
  private told = 0;
  private damaged = new Set<number>();
  private grown = 0;

  constructor(options: CellOptions) {
    this.options = options;
  }

  async play(): Promise<void> {
    const { persona, dialect = "standard", core, signal } = this.options;
    const settings = { persona, dialect, reservePages: RESERVE_PAGES };
    const machine = (memory: WebAssembly.Memory) => this.makeMachine(memory);
    try {
      this.vm = await ReferenceVm.create({ frames: FRAMES, settings, core, machine });
    } catch (error) {
      if (!(error instanceof BallonetError)) throw error;
      this.refused = { code: error.code, message: error.message };
      this.noteInflated();
      return;
    }
    signal?.throwIfAborted();
    this.script(this.vm);
  }

  private script(vm: ReferenceVm): void {
    vm.settle();
    vm.guest.grow(WORKLOAD_FRAMES, SEED);
    this.aim(vm, INFLATED_PAGES);
    vm.settle();
    this.noteInflated();
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
    if (this.machine === undefined) return;
    const { locked, unlocked } = this.machine.memory;
    this.atInflated = { inflated: this.machine.heldPages, locked, unlocked };
  }

  /** The host wants less; the guest uses what it gets, and the host takes away what it can. */
  private takeBack(vm: ReferenceVm): void {
    const before = { held: vm.machine.heldPages, guest: vm.balloon.counts().held };
    this.aim(vm, DEFLATED_PAGES);
    vm.settle(() => {
      const got = vm.guest.grow(FRAMES, SEED + 1);
      if (got === 0) return;
      this.grown += got;
      this.mark(vm, `the guest uses ${got} frames`);
      vm.machine.reclaim();
    });
    this.takenBack = before.guest - vm.balloon.counts().held;
    this.told = before.held - vm.machine.heldPages;
  }

  private makeMachine(memory: WebAssembly.Memory): Machine {
    const { host } = this.options;
    const answer = { kind: "late", ms: ANSWER_MS } as const;
    const options: MachineOptions = {
      memory,
      frames: ALL_FRAMES,
      hostDesign: host,
      completion: { inflate: answer, deflate: answer },
      messages: 0,
      seed: SEED,
      traceLimit: TRACE_LIMIT,
    };
    this.machine = createMachine(options);
    return this.machine;
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
    const { persona, host, dialect = "standard" } = this.options;
    const { machine } = this;
    if (machine === undefined) throw new Error("no machine was made");
    const { memory } = machine;
    return {
      persona,
      host,
      dialect,
      ...(this.refused && { refused: this.refused }),
      offered: names(machine.offered),
      negotiated: this.refused === undefined ? names(machine.negotiated) : [],
      mustTellFirst: memory.mustTellFirst,
      mayBeSilent: memory.maySilence,
      mayUnlock: memory.mayUnlock,
      pages: {
        total: memory.frames,
        ...this.atInflated,
        takenBack: this.takenBack,
        told: this.told,
      },
      touches: this.touches(machine),
      damagedFrames: this.damaged.size,
      verdicts: countVerdicts(machine),
      marks: this.marks,
      timeline: memory.timeline,
    };
  }

  private touches({ memory, trace }: Machine): CellResult["touches"] {
    const list = memory.touches.map(({ pfn, state, unlocked, lost, ms, entry }): CellTouch => {
      const at = trace.at(entry);
      return { pfn, state, unlocked, lost, ms, line: at === undefined ? "" : formatEntry(at) };
    });
    const { untold, unanswered, unlocked: faults, lost } = memory.counted;
    return { untold, unanswered, faults, lost, list };
  }
}

function names(features: bigint): string[] {
  return featureBits(features).map((bit) => formatFeatures(featureSet(bit)));
}

function countVerdicts(machine: Machine): CellResult["verdicts"] {
  const rules = [...new Set(machine.verdicts.map(({ rule }) => rule))].sort();
  return rules.map((rule) => ({ rule, times: machine.broken(rule) }));
}
