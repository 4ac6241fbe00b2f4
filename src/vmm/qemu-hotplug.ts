/**
 * Plugging a balloon into a running machine, and taking it out.
 *
 * It must not know how a guest takes it. Invariant: the machine has a balloon by this file's word
 * only while QEMU has one.
 */
import type { Patience } from "./patience.ts";
import type { QemuVmm } from "./qemu.ts";
import { BALLOON_ID, balloonDevice, type QemuBalloonOptions } from "./qemu-arguments.ts";

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
  await vmm.execute({ ...patience, command: "device_add", args });
  vmm.plugged(true);
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
