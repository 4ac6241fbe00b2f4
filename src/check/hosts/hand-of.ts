/** What the host's side of a machine on QEMU and on v86 has in common. */
import type { Vmm } from "../../vmm/index.ts";
import type { HostHand } from "./host.ts";

/** Returns what `ballonet/vmm` can do to any of its machines. */
export function handOf(vmm: Vmm) {
  return {
    setTarget: (pages: number) => vmm.balloon.setTarget({ pages }),
    shown: () => vmm.balloon.query(),
    statistics: (options: { readonly fresh: boolean }) => vmm.balloon.statistics(options),
    pause: () => vmm.pause(),
    resume: () => vmm.resume(),
    reset: () => vmm.reset(),
  } satisfies HostHand;
}
