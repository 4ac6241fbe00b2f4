/** Boots an image in QEMU for each scenario, with the reference device on its PCI bus. */
import type { QemuVmm } from "../../vmm/index.ts";
import type { DeviceChoice } from "../device-options.ts";
import type { Platform, SystemActions } from "../platform.ts";
import { QemuGuest } from "./guest.ts";
import { type HostParts, QemuHost, renewing, servedDevice } from "./host.ts";

/** What the platform boots. */
export interface InQemuOptions
  extends Omit<HostParts, "append" | "vectors" | "signal" | "initramfs"> {
  /** The guest's command line. */
  readonly append?: string | undefined;
  readonly device: DeviceChoice;
  /** Milliseconds in which a guest must come to rest or answer. Default 60,000. */
  readonly timeoutMs?: number | undefined;
  /** What the system around the driver can be asked to do. Default: nothing. */
  system?(vmm: QemuVmm): SystemActions;
}

const TIMEOUT_MS = 60_000;

/** Returns the platform that boots this image in QEMU for each scenario. */
export function inQemu(options: InQemuOptions): Platform {
  return {
    name: "qemu",
    async start({ device: own, signal }) {
      const { append = "", device, timeoutMs = TIMEOUT_MS } = options;
      const parts = { ...options, append, vectors: device.vectors ?? 0, signal };
      const host = await QemuHost.start(parts, servedDevice(device, own));
      const system = options.system?.(host.vmm) ?? {};
      const renew = renewing(host, device);
      const guest = new QemuGuest({ host, renew, system, signal, timeoutMs, goesOn: false });
      try {
        await guest.boot();
        return guest;
      } catch (error) {
        await guest.close();
        throw error;
      }
    },
  };
}
