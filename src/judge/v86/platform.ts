/** Boots an image in v86 for each scenario, with the reference device on its PCI bus. */
import type { Device } from "../../device/index.ts";
import type { Board } from "../../vmm/v86/board.ts";
import { launchV86, type V86Vmm } from "../../vmm/v86/v86.ts";
import type { DeviceChoice } from "../device-options.ts";
import type { Platform, SystemActions } from "../platform.ts";
import { V86Guest } from "./guest.ts";
import { pluggedDevice, plugIn } from "./plugged.ts";

/** What the platform boots. */
export interface InV86Options {
  /** A Multiboot image: its path or its bytes. */
  readonly image: string | Uint8Array;
  /** The guest's command line. */
  readonly append?: string;
  readonly memoryBytes: number;
  readonly device: DeviceChoice;
  /** Milliseconds in which a guest must come to rest or answer. Default 60,000. */
  readonly timeoutMs?: number | undefined;
  /**
   * v86's own WebAssembly module, `v86/build/v86.wasm`. Default: read from the package, which a
   * page cannot do.
   */
  readonly engine?: WebAssembly.Module;
  /** What the system around the driver can be asked to do. Default: nothing. */
  system?(vmm: V86Vmm): SystemActions;
}

/** Returns the platform that boots this image in v86 for each scenario. */
export function inV86(options: InV86Options): Platform {
  return {
    name: "v86",
    async start({ device, signal }) {
      const { image, append = "", memoryBytes, device: choice, timeoutMs } = options;
      let made: { readonly board: Board; readonly device: Device } | undefined;
      const plug = (board: Board) => {
        const one = pluggedDevice(board, choice, device);
        made = { board, device: one.device };
        return one.plugged;
      };
      const engine = options.engine && { engine: options.engine };
      const launch = { image, append, memoryBytes, balloon: false, plug, signal, ...engine };
      const vmm = await launchV86(launch);
      if (made === undefined) throw new Error("v86 made no machine");
      const system = options.system?.(vmm) ?? {};
      const renew = plugIn(made.board, choice);
      return new V86Guest({ ...made, vmm, signal, system, timeoutMs, renew }).begin();
    },
  };
}
