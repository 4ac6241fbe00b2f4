/**
 * The register structures of a virtio PCI device: where its capabilities say they are. The device
 * wrote that, so it is checked before it is used. A virtio capability (virtio 1.3, 4.1.4):
 *
 *   +0 cap_vndr = 9   +1 cap_next   +2 cap_len   +3 cfg_type
 *   +4 bar            +5 id         +6 padding
 *   +8 offset (le32)                +12 length (le32)
 *   +16 notify_off_multiplier (le32), for the notification structure alone
 */
import { BallonetError, hex } from "../../errors.ts";
import type { Hal } from "../../hal.ts";
import { BAR_COUNT, type Bar, spaceEnd } from "../../pci/bars.ts";
import {
  CAPABILITIES_END,
  CAPABILITY_VENDOR_SPECIFIC,
  readCapabilities,
} from "../../pci/capabilities.ts";
import { formatPciAddress, type PciAddress, type PciConfigAccess } from "../../pci/config.ts";
import { CFG_TYPE, COMMON_LENGTH } from "../constants.ts";
import { Region } from "../region.ts";

/** A virtio structure's capability, as the device wrote it. */
export interface VirtioCapability {
  readonly cfgType: number;
  readonly bar: number;
  readonly offset: number;
  readonly length: number;
  /** Bytes between two queues' notify addresses; only the notification structure has it. */
  readonly notifyOffMultiplier: number;
}

const VIRTIO_CAP_LENGTH = 16;
const VIRTIO_NOTIFY_CAP_LENGTH = 20;

/** The function's virtio capabilities, in the device's order, without broken ones. */
export function readVirtioCapabilities(
  config: PciConfigAccess,
  address: PciAddress,
): VirtioCapability[] {
  const found: VirtioCapability[] = [];
  for (const { id, offset } of readCapabilities(config, address)) {
    if (id !== CAPABILITY_VENDOR_SPECIFIC) continue;
    const capLength = config.read(address, offset + 2, 1);
    const cfgType = config.read(address, offset + 3, 1);
    const needed = cfgType === CFG_TYPE.NOTIFY ? VIRTIO_NOTIFY_CAP_LENGTH : VIRTIO_CAP_LENGTH;
    // A larger cap_len must be accepted. A smaller one, or one past the space, is not whole.
    if (capLength < needed || offset + needed > CAPABILITIES_END) continue;
    found.push({
      cfgType,
      bar: config.read(address, offset + 4, 1),
      offset: config.read(address, offset + 8, 4),
      length: config.read(address, offset + 12, 4),
      notifyOffMultiplier:
        cfgType === CFG_TYPE.NOTIFY ? config.read(address, offset + VIRTIO_CAP_LENGTH, 4) : 0,
    });
  }
  return found;
}

/** A structure that a transport needs. */
export interface StructureNeed {
  readonly cfgType: number;
  readonly name: string;
  /** The fewest bytes that make it usable. */
  readonly length: number;
  /** Its offset must be a multiple of this many bytes, so that its fields are aligned. */
  readonly alignment: number;
}

export const COMMON_NEED: StructureNeed = {
  cfgType: CFG_TYPE.COMMON,
  name: "common configuration",
  length: COMMON_LENGTH,
  alignment: 4,
};
export const NOTIFY_NEED: StructureNeed = {
  cfgType: CFG_TYPE.NOTIFY,
  name: "notification structure",
  length: 2,
  alignment: 2,
};
export const ISR_NEED: StructureNeed = {
  cfgType: CFG_TYPE.ISR,
  name: "ISR status",
  length: 1,
  alignment: 1,
};

export interface LocateOptions {
  readonly hal: Hal;
  readonly address: PciAddress;
  readonly bars: readonly Bar[];
  readonly capabilities: readonly VirtioCapability[];
  readonly need: StructureNeed;
  /** Memory at or above this cannot be reached by the guest. */
  readonly memoryEnd: number;
}

/**
 * Returns the first usable structure of the needed type: devices list the best first, and a driver
 * uses the first that it can (virtio 1.3, 4.1.4.1). Its region ends where its address space does.
 * @throws BallonetError `pci-capability` when there is none, `pci-bar` when a bad BAR is why.
 */
export function locateStructure(options: LocateOptions): {
  readonly region: Region;
  readonly capability: VirtioCapability;
} {
  const { hal, address, bars, capabilities, need, memoryEnd } = options;
  const reasons: string[] = [];
  let badBar = false;
  for (const capability of capabilities) {
    if (capability.cfgType !== need.cfgType) continue;
    const bar: Bar = bars[capability.bar] ?? {
      kind: "unusable",
      reason: `not one of the ${BAR_COUNT} BARs`,
    };
    if (bar.kind === "unusable") {
      badBar = true;
      reasons.push(`BAR ${capability.bar} is ${bar.reason}`);
      continue;
    }
    const start = bar.base + capability.offset;
    const end = Math.min(spaceEnd(bar), bar.kind === "memory" ? memoryEnd : Infinity);
    if (capability.length < need.length) {
      reasons.push(`${capability.length} bytes long, ${need.length} needed`);
    } else if (capability.offset % need.alignment !== 0) {
      reasons.push(`offset ${hex(capability.offset)} not a multiple of ${need.alignment}`);
    } else if (start + need.length > end) {
      reasons.push(`it ends beyond ${hex(end)}, at ${hex(start + need.length)}`);
    } else {
      const length = Math.min(capability.length, end - start);
      const region = new Region({ hal, kind: bar.kind, start, length, name: need.name });
      return { region, capability };
    }
  }
  throw new BallonetError({
    code: badBar ? "pci-bar" : "pci-capability",
    what: `${need.name} of the virtio device at ${formatPciAddress(address)}`,
    seen: reasons.length === 0 ? "no such capability" : reasons.join("; "),
    todo: badBar
      ? "boot with firmware that assigns BARs"
      : "give the device its modern (virtio 1.x) interface",
  });
}
