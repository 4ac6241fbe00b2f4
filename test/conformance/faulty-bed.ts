/** A testbed that counts the steps of a scenario, and arms a fault at one of them. */
import type { FaultName, Machine } from "../../src/device/index.ts";
import type { TestVm, TestVmOptions } from "../support/vm.ts";
import { RESERVE } from "./scenarios/moves.ts";
import { type AtRest, Testbed } from "./testbed.ts";

/** What the host does: a step before it, and one right after it. */
const HOST_ACTIONS = [
  "setTarget",
  "requestStats",
  "startHinting",
  "stopHinting",
  "finishHinting",
  "spuriousInterrupt",
  "inject",
] as const;
/** What the guest does: a step before it. */
const BALLOON_ACTIONS = ["stop", "suspend", "resume", "attach", "detach"] as const;
const GUEST_ACTIONS = ["grow", "shrink"] as const;

export interface ArmedAt {
  readonly name: FaultName;
  readonly at: number;
}

type Call = (...args: unknown[]) => unknown;

/** Puts calls around methods of an object. */
function wrap<T extends object>(
  object: T,
  names: readonly (keyof T)[],
  around: (it: Call) => Call,
) {
  const wrapped = names.map((name) => {
    const method = object[name] as Call;
    return [name, around(method.bind(object))];
  });
  return Object.fromEntries(wrapped) as Partial<T>;
}

export class FaultyBed extends Testbed {
  /** The machine of each step. */
  readonly steps: Machine[] = [];
  readonly vms: TestVm[] = [];
  /** The first step at which the fault had struck; undefined: it had not struck by the last one. */
  struckBy: number | undefined;
  private readonly fault: ArmedAt | undefined;
  private arming = false;

  constructor(fault?: ArmedAt) {
    super();
    this.fault = fault;
  }

  get hasStruck(): boolean {
    const { name } = this.fault ?? {};
    return name !== undefined && this.machines.some(({ faultsStruck }) => faultsStruck.has(name));
  }

  override async vm(options?: TestVmOptions): Promise<TestVm> {
    const vm = await super.vm(options);
    const before: (inner: Call) => Call = (inner) => {
      return (...args) => {
        this.step(vm.machine);
        return inner(...args);
      };
    };
    Object.assign(vm, { guest: { ...vm.guest, ...wrap(vm.guest, GUEST_ACTIONS, before) } });
    Object.assign(vm.balloon, wrap(vm.balloon, BALLOON_ACTIONS, before));
    this.vms.push(vm);
    return vm;
  }

  /** After a fault the guest may have less to give than the scenario counts on. */
  override checkAtRest(vm: TestVm, expected: AtRest): void {
    const { outOfReach } = vm.balloon.status();
    const isShort = this.hasStruck && (outOfReach || vm.balloon.counts().free <= RESERVE);
    super.checkAtRest(vm, isShort ? { ...expected, memoryShort: true } : expected);
  }

  protected override meet(machine: Machine): void {
    super.meet(machine);
    this.step(machine);
    const around: (inner: Call) => Call = (inner) => {
      return (...args) => {
        if (this.arming) return inner(...args);
        this.step(machine);
        const result = inner(...args);
        this.step(machine);
        return result;
      };
    };
    Object.assign(machine, wrap(machine, HOST_ACTIONS, around));
  }

  private step(machine: Machine): void {
    if (this.struckBy === undefined && this.hasStruck) this.struckBy = this.steps.length;
    if (this.steps.length === this.fault?.at) {
      this.arming = true;
      machine.inject({ name: this.fault.name });
      this.arming = false;
    }
    this.steps.push(machine);
  }
}
