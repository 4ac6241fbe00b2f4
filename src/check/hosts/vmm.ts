/** QEMU and v86 as hosts. */
import type { HostRequest } from "../../../runtime/abi.ts";
import { describeExit } from "../../vmm/exit.ts";
import {
  launchQemu,
  launchV86,
  type QemuBalloonOptions,
  type QemuMachine,
  type Vmm,
} from "../../vmm/index.ts";
import { qemuVersion } from "../../vmm/qemu/qemu.ts";
import type { CheckedMachine, CheckHostSystem, Hand } from "./host.ts";

const MEMORY_BYTES = 64 * 2 ** 20;

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
      served(await launchV86({ image, append, signal, memoryBytes: MEMORY_BYTES })),
  };
}

/** Serves what the guest asks for until its machine ends. */
function served(vmm: Vmm): CheckedMachine {
  const hand: Hand = async (request) => {
    if (request.do !== "target") return undefined;
    await vmm.balloon.setTarget({ pages: request.pages });
    return {};
  };
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
