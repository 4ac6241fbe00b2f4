/**
 * Plugging a balloon into a running machine, and taking it out.
 *
 * It must not know how a guest takes it. Invariant: the machine has a balloon by this file's word
 * only while QEMU has one.
 */

import type { Patience } from "../deadline.ts";
import { isJsonObject, type JsonValue } from "../json.ts";
import { BALLOON_ID, balloonDevice, IO_THREAD_ID, type QemuBalloonOptions } from "./arguments.ts";
import type { QemuVmm } from "./qemu.ts";

export interface PlugOptions extends Patience {
  readonly vmm: QemuVmm;
  /** `pci.0` of a `pc`, or the id of one of `rootPorts`; `q35`'s own bus takes nothing. */
  readonly bus: string;
  /** Default: a balloon with QEMU's defaults. */
  readonly balloon?: QemuBalloonOptions;
}

/** Resolves when the device is there; the guest has yet to find it. */
export async function plugBalloon(options: PlugOptions): Promise<void> {
  const { vmm, bus, balloon = {}, ...patience } = options;
  const args = { ...balloonDevice(balloon, "pc"), bus };
  if (balloon.freePageHint) await addIoThread(vmm, patience);
  await vmm.execute({ ...patience, command: "device_add", args });
  vmm.plugged(true);
}

/** The thread outlives the balloon that it was made for, and serves the next one. */
async function addIoThread(vmm: QemuVmm, patience: Patience): Promise<void> {
  const path = "/objects";
  const objects = await vmm.execute({ ...patience, command: "qom-list", args: { path } });
  const all: readonly JsonValue[] = Array.isArray(objects) ? objects : [];
  if (all.some((object) => isJsonObject(object) && object.name === IO_THREAD_ID)) return;
  const args = { "qom-type": "iothread", id: IO_THREAD_ID };
  await vmm.execute({ ...patience, command: "object-add", args });
}

/** Asks the guest to let go of the balloon; resolves when it is out of the machine. */
export async function unplugBalloon({
  vmm,
  ...patience
}: { readonly vmm: QemuVmm } & Patience): Promise<void> {
  await vmm.executeUntil({
    ...patience,
    command: "device_del",
    args: { id: BALLOON_ID },
    event: "DEVICE_DELETED",
    accept: ({ payload }) => payload.device === BALLOON_ID,
  });
  vmm.plugged(false);
}
