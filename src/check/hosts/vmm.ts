/** QEMU and v86 as hosts. */

import { describeExit } from "../../vmm/exit.ts";
import {
  type BalloonStatistics,
  launchQemu,
  launchV86,
  migrate,
  type QemuBalloonOptions,
  type QemuMachine,
  type QemuVmm,
  type V86Vmm,
  type Vmm,
} from "../../vmm/index.ts";
import { BALLOON_ID } from "../../vmm/qemu/arguments.ts";
import { type LaunchQemuOptions, qemuVersion } from "../../vmm/qemu/qemu.ts";
import type {
  CheckedMachine,
  CheckHostSystem,
  DeviceWishes,
  HostHand,
  HostLaunch,
} from "./host.ts";
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
  return machineOf(vmm, hand);
}

/** Returns v86 as a host. Its device always offers hinting, and no deflating on OOM. */
export function v86Host(): CheckHostSystem {
  return {
    name: "v86",
    arch: "i386",
    machine: "pc",
    control: "com2",
    can: ["target", "shown", "statistics", "hint", "hinting", "pause", "snapshot", "reset"],
    launch: async ({ image, append, memoryBytes, signal }) => {
      const launch = { image, append, memoryBytes };
      return v86Machine(await launchV86({ ...launch, signal }), launch, signal);
    },
  };
}

function v86Machine(
  vmm: V86Vmm,
  launch: Pick<HostLaunch, "image" | "append" | "memoryBytes">,
  signal: AbortSignal,
): CheckedMachine {
  let known: BalloonStatistics = { tags: {}, lastUpdateMs: undefined };
  const hand: HostHand = {
    ...handOf(vmm),
    // It asks at once, ends a run of hints by itself, and keeps no statistics.
    askMs: 0,
    statistics: async ({ fresh }) => {
      if (fresh) known = await vmm.balloon.statistics();
      return known;
    },
    reset: async () => {
      known = { tags: {}, lastUpdateMs: undefined };
      await vmm.reset();
    },
    hint: () => vmm.balloon.hint(),
    snapshot: async () => {
      const state = await vmm.snapshots.save({ signal });
      await vmm.kill();
      const next = await launchV86({ ...launch, paused: true, signal });
      await next.snapshots.restore({ state, signal });
      await next.resume({ signal });
      return v86Machine(next, launch, signal);
    },
  };
  return machineOf(vmm, hand);
}

function handOf(vmm: Vmm): HostHand {
  return {
    setTarget: (pages) => vmm.balloon.setTarget({ pages }),
    shown: () => vmm.balloon.query(),
    statistics: (options) => vmm.balloon.statistics(options),
    pause: () => vmm.pause(),
    resume: () => vmm.resume(),
    reset: () => vmm.reset(),
  };
}

function machineOf(vmm: Vmm, hand: HostHand): CheckedMachine {
  return {
    lines: vmm.log,
    ended: vmm.exited.then(describeExit),
    kill: () => vmm.kill(),
    control: vmm.control,
    hand,
  };
}
