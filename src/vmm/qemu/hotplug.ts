/** Plugs a balloon into a running machine, and takes it out. */

import type { Deadline } from "../deadline.ts";
import { isJsonObject, type JsonValue } from "../json.ts";
import { BALLOON_ID, balloonDevice, IO_THREAD_ID, type QemuBalloonOptions } from "./arguments.ts";
import type { QemuVmm } from "./qemu.ts";

/** What `plugBalloon` is given. */
export interface PlugOptions extends Deadline {
  readonly vmm: QemuVmm;
  /** `pci.0` of a `pc`, or the id of one of `rootPorts`; `q35`'s own bus takes nothing. */
  readonly bus: string;
  /** Default: a balloon with QEMU's defaults. */
  readonly balloon?: QemuBalloonOptions;
}

/**
 * Plugs a balloon into a machine without one. Resolves when QEMU has the device; the guest finds it
 * later. Rejects with `qmp-command`, `exited` or `timeout`.
 */
export async function plugBalloon(options: PlugOptions): Promise<void> {
  const { vmm, bus, balloon = {}, ...deadline } = options;
  const args = { ...balloonDevice(balloon, "pc"), bus };
  if (balloon.freePageHint) await addIoThread(vmm, deadline);
  await vmm.execute({ ...deadline, command: "device_add", args });
  vmm.plugged(true);
}

/** Adds the thread for hints unless there is one: it outlives the balloon that it was made for. */
async function addIoThread(vmm: QemuVmm, deadline: Deadline): Promise<void> {
  const path = "/objects";
  const objects = await vmm.execute({ ...deadline, command: "qom-list", args: { path } });
  const all: readonly JsonValue[] = Array.isArray(objects) ? objects : [];
  if (all.some((object) => isJsonObject(object) && object.name === IO_THREAD_ID)) return;
  const args = { "qom-type": "iothread", id: IO_THREAD_ID };
  await vmm.execute({ ...deadline, command: "object-add", args });
}

/**
 * Asks the guest to release the balloon. Resolves when it is out of the machine. Rejects with
 * `qmp-command`, `exited`, or `timeout` (default: 10 s) when the guest does not release it.
 */
export async function unplugBalloon({
  vmm,
  ...deadline
}: { readonly vmm: QemuVmm } & Deadline): Promise<void> {
  await vmm.executeUntil({
    ...deadline,
    command: "device_del",
    args: { id: BALLOON_ID },
    event: "DEVICE_DELETED",
    accept: ({ payload }) => payload.device === BALLOON_ID,
  });
  vmm.plugged(false);
}
