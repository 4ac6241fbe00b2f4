/** A guest that runs in the page: v86, the image, one of the devices, and the ledger to look at. */

import { assets } from "./assets.ts";
import { appendOf, type MachineChoice } from "./choice.ts";
import { type HostSide, V86Side } from "./host-side.ts";
import { Ledger, type LedgerPlace } from "./ledger.ts";
import { type ReferenceChoice, ReferenceSide, referenceOptions } from "./reference-side.ts";
import {
  type Board,
  type Device,
  type JsonObject,
  type JsonValue,
  launchV86,
  pluggedDevice,
  type V86Vmm,
} from "./shared.ts";

/** A guest is up, or says why not. */
const READY = /^ballonet: (ready|error|panic)\b/;
const READY_MS = 20_000;
const LOOK_MS = 50;

/** A guest that was up: v86's state, and the lines that it had printed. */
export interface SavedState {
  readonly state: ArrayBuffer;
  readonly log: readonly string[];
}

/** A state of a machine, and what it has to be restored into. */
export interface SavedMachine extends SavedState {
  readonly choice: MachineChoice;
}

export class LiveMachine {
  readonly choice: MachineChoice;
  readonly vmm: V86Vmm;
  readonly host: HostSide;
  /** Milliseconds from the launch to the guest's line `ready`, or to its first answer. */
  readyMs = 0;
  private known: Ledger;

  private constructor(choice: MachineChoice, vmm: V86Vmm, host: HostSide) {
    this.choice = choice;
    this.vmm = vmm;
    this.host = host;
    this.known = new Ledger({ address: 0, frames: 0 }, performance.now());
  }

  /** Launches a machine and waits until its guest is ready. One that is `saved` goes on instead. */
  static async boot(choice: MachineChoice, saved?: SavedState): Promise<LiveMachine> {
    const beganMs = performance.now();
    const machine = await launch(choice, saved !== undefined);
    try {
      if (saved === undefined) await machine.comeUp(0);
      else await machine.goOn(saved);
      machine.readyMs = performance.now() - beganMs;
      return machine;
    } catch (error) {
      await machine.close();
      throw error;
    }
  }

  static of(choice: MachineChoice, vmm: V86Vmm, host: HostSide): LiveMachine {
    return new LiveMachine(choice, vmm, host);
  }

  get pages(): number {
    return this.choice.memoryBytes / 4096;
  }

  get ledger(): Ledger {
    return this.known;
  }

  /** Calls a method of the guest's control channel. */
  ask(method: string, params: JsonObject = {}): Promise<JsonValue> {
    return this.vmm.control.request({ method, params });
  }

  /** Looks at the guest's memory. Returns whether the picture has changed. */
  look(): boolean {
    if (this.known.frames === 0) return false;
    return this.known.read(this.vmm.memory(), performance.now());
  }

  async save(): Promise<SavedMachine> {
    const state = await this.vmm.snapshots.save();
    return { choice: this.choice, state, log: this.vmm.log.lines };
  }

  async reset(): Promise<void> {
    const from = this.vmm.log.nextNumber;
    await this.vmm.reset();
    await this.comeUp(from);
  }

  async close(): Promise<void> {
    await this.host.close();
    await this.vmm.kill();
  }

  private async goOn({ state, log }: SavedState): Promise<void> {
    const { vmm } = this;
    if (log.length > 0) vmm.log.push(new TextEncoder().encode(`${log.join("\n")}\n`));
    await vmm.snapshots.restore({ state });
    await vmm.resume();
    await this.findLedger();
  }

  private async comeUp(from: number): Promise<void> {
    const ready = { pattern: READY, from, timeoutMs: READY_MS };
    const { match, text } = await this.vmm.log.waitForLine(ready);
    if (match[1] !== "ready" && this.choice.device.kind === "v86") throw new Error(text);
    await this.findLedger();
  }

  private async findLedger(): Promise<void> {
    const place = (await this.ask("ledger")) as JsonObject & LedgerPlace;
    this.known = new Ledger(place, performance.now());
    this.look();
  }
}

async function launch(choice: MachineChoice, paused: boolean): Promise<LiveMachine> {
  const { image, engine } = await assets();
  const { memoryBytes, device } = choice;
  const common = { image, engine, append: appendOf(choice), memoryBytes, paused };
  if (device.kind === "reference") return launchJudged(choice, device, common);
  const vmm = await launchV86(common);
  return LiveMachine.of(choice, vmm, new V86Side(vmm, LOOK_MS));
}

type Common = Pick<
  Parameters<typeof launchV86>[0],
  "image" | "append" | "memoryBytes" | "paused"
> & {
  readonly engine: WebAssembly.Module;
};

async function launchJudged(choice: MachineChoice, device: ReferenceChoice, common: Common) {
  let made: { readonly board: Board; readonly device: Device } | undefined;
  const options = referenceOptions(device);
  const plug = (board: Board) => {
    const one = pluggedDevice(board, options.choice, options.own);
    made = { board, device: one.device };
    return one.plugged;
  };
  const vmm = await launchV86({ ...common, balloon: false, plug });
  if (made === undefined) throw new Error("v86 made no machine");
  return LiveMachine.of(choice, vmm, new ReferenceSide({ ...made, vmm, choice: device }));
}
