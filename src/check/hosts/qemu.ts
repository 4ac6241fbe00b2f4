/** QEMU as a host: a process for each machine, which is told by its monitor. */

import { describeExit } from "../../vmm/exit.ts";
import {
  launchQemu,
  migrate,
  type QemuBalloonOptions,
  type QemuMachine,
  type QemuVmm,
} from "../../vmm/index.ts";
import { BALLOON_ID } from "../../vmm/qemu/arguments.ts";
import { type LaunchQemuOptions, qemuVersion } from "../../vmm/qemu/qemu.ts";
import { handOf } from "./hand-of.ts";
import type { CheckedMachine, CheckHostSystem, DeviceWishes, HostHand } from "./host.ts";
import { checkTransport, type HostTransport } from "./transport.ts";

/** A QEMU to check. */
export interface QemuHostOptions {
  /** The program. Default: qemu-system-ARCH. */
  readonly binary?: string | undefined;
  /** Default `x86_64`. */
  readonly arch?: "i386" | "x86_64" | undefined;
  /** Default `pc`; `microvm` with the transport `mmio`. */
  readonly machine?: QemuMachine | undefined;
  /** How the device is reached. Default: QEMU's own for the machine. */
  readonly transport?: HostTransport | undefined;
  /** The device, with properties under QEMU's own names. */
  readonly balloon?: QemuBalloonOptions | undefined;
}

const QEMU_TRANSPORTS = {
  modern: { disableLegacy: true, disableModern: false },
  transitional: { disableLegacy: false, disableModern: false },
  legacy: { disableLegacy: false, disableModern: true },
  mmio: {},
} as const satisfies Record<HostTransport, QemuBalloonOptions>;

/**
 * Returns QEMU as a host. Rejects with VmmError `qemu-not-found`, or with FailureError `usage` for
 * a transport that the machine has not.
 */
export async function qemuHost(options: QemuHostOptions = {}): Promise<CheckHostSystem> {
  const { arch = "x86_64", transport, balloon = {}, binary } = options;
  const machine = options.machine ?? (transport === "mmio" ? "microvm" : "pc");
  const buses = machine === "microvm" ? ["mmio"] : ["modern", "transitional", "legacy"];
  checkTransport(`QEMU's ${machine}`, transport, buses);
  const found = await qemuVersion({ arch, ...(binary !== undefined && { binary }) });
  const [, version = found.version] = /version (\S+)/.exec(found.version) ?? [];
  return {
    name: `QEMU ${version}`,
    arch,
    machine,
    settings: { ...words(balloon.properties ?? {}), ...(transport && { transport }) },
    control: "com2",
    can: [
      ...(["target", "shown", "statistics", "interval", "pause", "snapshot", "reset"] as const),
      ...(process.platform === "linux" ? (["resident"] as const) : []),
      ...(["deflate-on-oom", "reporting", "hinting"] as const),
    ],
    launch: async ({ image, append, memoryBytes, device = {}, signal }) => {
      const wished = { ...(transport && QEMU_TRANSPORTS[transport]), ...wishesOf(device) };
      const launch = {
        ...{ arch, machine, image, append, memoryBytes },
        balloon: { ...balloon, ...wished },
        ...(binary !== undefined && { binary }),
      };
      return qemuMachine(await launchQemu({ ...launch, signal }), launch, signal);
    },
  };
}

function wishesOf({ deflateOnOom, reporting, hinting }: DeviceWishes): QemuBalloonOptions {
  return {
    ...(deflateOnOom !== undefined && { deflateOnOom }),
    ...(reporting !== undefined && { freePageReporting: reporting }),
    ...(hinting !== undefined && { freePageHint: hinting }),
  };
}

function words(properties: NonNullable<QemuBalloonOptions["properties"]>) {
  return Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, `${value}`]));
}

function qemuMachine(vmm: QemuVmm, launch: LaunchQemuOptions, signal: AbortSignal): CheckedMachine {
  const path = `/machine/peripheral/${BALLOON_ID}`;
  const hand: HostHand = {
    ...handOf(vmm),
    setInterval: (seconds) =>
      vmm.execute({
        command: "qom-set",
        args: { path, property: "guest-stats-polling-interval", value: seconds },
      }),
    residentBytes: () => vmm.residentBytes(),
    snapshot: async () => {
      const destination = await launchQemu({ ...launch, incoming: true, signal });
      try {
        await migrate({ source: vmm, destination, signal });
      } catch (error) {
        await destination.kill();
        throw error;
      }
      await vmm.kill();
      return qemuMachine(destination, launch, signal);
    },
  };
  return {
    lines: vmm.log,
    ended: vmm.exited.then(describeExit),
    kill: () => vmm.kill(),
    control: vmm.control,
    hand,
  };
}
