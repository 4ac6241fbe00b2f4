/** QEMU and v86 as hosts. */
import { setTimeout } from "node:timers/promises";
import type { HostAnswer, HostRequest } from "../../../runtime/abi.ts";
import { describeExit } from "../../vmm/exit.ts";
import {
  type BalloonStatistics,
  launchQemu,
  launchV86,
  type QemuBalloonOptions,
  type QemuMachine,
  type StatisticName,
  type Vmm,
} from "../../vmm/index.ts";
import { qemuVersion } from "../../vmm/qemu/qemu.ts";
import type { CheckedMachine, CheckHostSystem, Hand } from "./host.ts";

const MEMORY_BYTES = 64 * 2 ** 20;
/** What a machine's host does when it is told to. */
interface HandOptions {
  /** Within so many milliseconds it asks for statistics. */
  readonly askMs: number;
  /** Whether free page hinting begins. */
  readonly hints: boolean;
}

/** QEMU asks once a second, and for hints only when the machine migrates. */
const QEMU_HAND: HandOptions = { askMs: 1_200, hints: false };
/** v86 ends a run of hints by itself. */
const V86_HAND: HandOptions = { askMs: 0, hints: true };

/** A QEMU to check. */
export interface QemuHostOptions {
  /** The program. Default: qemu-system-ARCH. */
  readonly binary?: string | undefined;
  /** Default `x86_64`. */
  readonly arch?: "i386" | "x86_64" | undefined;
  /** Default `pc`. */
  readonly machine?: QemuMachine | undefined;
  /** The device, with properties under QEMU's own names. */
  readonly balloon?: QemuBalloonOptions | undefined;
}

/** Returns QEMU as a host. Rejects with VmmError `qemu-not-found`. */
export async function qemuHost(options: QemuHostOptions = {}): Promise<CheckHostSystem> {
  const { arch = "x86_64", machine = "pc", balloon = {}, binary } = options;
  const found = await qemuVersion({ arch, ...(binary !== undefined && { binary }) });
  const [, version = found.version] = /version (\S+)/.exec(found.version) ?? [];
  return {
    name: `QEMU ${version}`,
    arch,
    machine,
    settings: words(balloon.properties ?? {}),
    hasHand: true,
    launch: async ({ image, append, signal }) =>
      served(
        await launchQemu({
          ...{ arch, machine, image, append, signal, balloon, memoryBytes: MEMORY_BYTES },
          ...(binary !== undefined && { binary }),
        }),
        QEMU_HAND,
      ),
  };
}

function words(properties: NonNullable<QemuBalloonOptions["properties"]>) {
  return Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, `${value}`]));
}

/** Returns v86 as a host. */
export function v86Host(): CheckHostSystem {
  return {
    name: "v86",
    arch: "i386",
    machine: "pc",
    hasHand: true,
    launch: async ({ image, append, signal }) =>
      served(await launchV86({ image, append, signal, memoryBytes: MEMORY_BYTES }), V86_HAND),
  };
}

/** Statistics in the order of their tags (virtio 1.3, 5.5.6.4). */
const BY_TAG: readonly StatisticName[] = [
  ...(["swapIn", "swapOut", "majorFaults", "minorFaults", "freeMemory", "totalMemory"] as const),
  ...(["availableMemory", "diskCaches", "hugetlbAllocations", "hugetlbFailures"] as const),
];

function handOf({ balloon }: Vmm, { askMs, hints }: HandOptions): Hand {
  return async (request) => {
    switch (request.do) {
      case "target":
        await balloon.setTarget({ pages: request.pages });
        return {};
      case "ask-statistics":
        // What comes, and whether it comes, is the check's to see.
        balloon.statistics().catch(() => undefined);
        await setTimeout(askMs);
        return {};
      case "statistics": {
        const { tags } = await balloon.statistics({ fresh: false });
        return { tags: byTag(tags) };
      }
      case "hint":
        if (!hints) return undefined;
        balloon.hint().catch(() => undefined);
        return {};
      case "hint-done":
        return hints ? {} : undefined;
    }
  };
}

function byTag(tags: BalloonStatistics["tags"]): NonNullable<HostAnswer["tags"]> {
  const shown = BY_TAG.map((name, tag) => [tag, tags[name]] as const);
  return Object.fromEntries(
    shown.flatMap(([tag, value]) => (value === undefined ? [] : [[tag, `${value}`]])),
  );
}

/** Serves what the guest asks for until its machine ends. */
function served(vmm: Vmm, options: HandOptions): CheckedMachine {
  const hand = handOf(vmm, options);
  const serve = async () => {
    for await (const { name, value } of vmm.control.notifications()) {
      if (name !== "check") continue;
      // The shape is that of this package's own guest.
      const answer = await hand(value as unknown as HostRequest);
      const tags = answer?.tags;
      const params = answer === undefined ? {} : { answer: tags === undefined ? {} : { tags } };
      await vmm.control.request({ method: "answer", params });
    }
  };
  // A machine that ends in the middle of a question ends the loop; `ended` says how.
  serve().catch(() => undefined);
  return {
    lines: vmm.log,
    ended: vmm.exited.then(describeExit),
    kill: () => vmm.kill(),
  };
}
