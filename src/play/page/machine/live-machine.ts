/** A guest that runs in the page: v86, the image, one of the devices, and the ledger to look at. */

import { assets } from "./assets.ts";
import type { MachineChoice } from "./choice.ts";
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

/** A state of a machine, and what it has to be restored into. */
export interface SavedMachine {
  readonly choice: MachineChoice;
  readonly state: ArrayBuffer;
}

export class LiveMachine {
  readonly choice: MachineChoice;
  readonly vmm: V86Vmm;
  readonly host: HostSide;
  /** Milliseconds from the launch to the guest's line `ready`. */
  readyMs = 0;
  private known: Ledger;

  private constructor(choice: MachineChoice, vmm: V86Vmm, host: HostSide) {
    this.choice = choice;
    this.vmm = vmm;
    this.host = host;
    this.known = new Ledger({ address: 0, frames: 0 }, performance.now());
  }

  /** Launches a machine and waits until its guest is ready. */
  static async boot(choice: MachineChoice, saved?: ArrayBuffer): Promise<LiveMachine> {
    const beganMs = performance.now();
    const machine = await launch(choice);
    try {
      await machine.comeUp(0);
      machine.readyMs = performance.now() - beganMs;
      if (saved !== undefined) await machine.restore(saved);
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
    return { choice: this.choice, state: await this.vmm.snapshots.save() };
  }

  async restore(state: ArrayBuffer): Promise<void> {
    await this.vmm.snapshots.restore({ state });
    await this.findLedger();
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

async function launch(choice: MachineChoice): Promise<LiveMachine> {
  const { image, engine } = await assets();
  const append = `ballonet.persona=${choice.persona}`;
  const { memoryBytes, device } = choice;
  const common = { image, engine, append, memoryBytes };
  if (device.kind === "reference") return launchJudged(choice, device, common);
  const vmm = await launchV86(common);
  return LiveMachine.of(choice, vmm, new V86Side(vmm, LOOK_MS));
}

type Common = Pick<Parameters<typeof launchV86>[0], "image" | "append" | "memoryBytes"> & {
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
