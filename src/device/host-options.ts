/** What a machine and a device alone have as options in common, and what it makes of a profile. */

import type { BalloonOptions } from "./balloon/balloon-options.ts";
import { MachineOptionError } from "./errors.ts";
import { type HostDesign, hostDesigns } from "./host/host-design.ts";
import { hostVersions } from "./host/host-version.ts";
import type { MmioLayout, PciLayout, Profile, UsedLength } from "./host/profile.ts";
import { type ProfileName, profiles } from "./host/profiles.ts";
import type { GuestMemorySource } from "./memory/guest-memory.ts";
import { nameOneOf } from "./nearest.ts";
import { layoutWith, VECTORS_MAX } from "./pci/pci-layout.ts";
import type { FaultSpec } from "./sim/faults.ts";
import { FEATURE } from "./spec/numbers.ts";
import type { QueueNumbering } from "./spec/roles.ts";
import type { RuleId } from "./spec/rules.ts";
import { isMmio, type TransportKind } from "./virtio/bus.ts";

/** Options of `createMachine` and of `createDevice`. */
export interface HostOptions extends BalloonOptions {
  /** The guest's memory, by physical address. */
  readonly memory: GuestMemorySource;
  /** The device to imitate: a profile's name, or a profile of your own. Default `strict`. */
  readonly profile?: ProfileName | Profile;
  /** How the driver reaches the device. Default `modern`. */
  readonly transport?: TransportKind;
  /** Entries of the device's MSI-X table, at most 128. Default 0: it has no MSI-X. */
  readonly vectors?: number;
  /**
   * Entries offered for each queue, from 2 to 1024. To split queues the power of two below it is
   * offered; a number that is none makes sense only where packed ones are. Default: the profile's.
   */
  readonly ringSize?: number;
  /** By which convention queues are numbered. Default: the profile's. */
  readonly queueNumbering?: QueueNumbering;
  /** What a device says in `used.len`. Default: the profile's. */
  readonly usedLength?: UsedLength;
  /** Where and how the device sits on PCI, where it differs from the profile. */
  readonly pci?: Partial<PciLayout>;
  /** Where and how it sits without PCI, where it differs from the profile. */
  readonly mmio?: Partial<MmioLayout>;
  /** What `save` of another machine returned: its guest continues on this one. */
  readonly incoming?: Uint8Array;
  /** Whether to offer what that machine offered instead of the profile's features. Default no. */
  readonly adoptOffer?: boolean;
  /** Faults that are armed from the start. */
  readonly faults?: readonly FaultSpec[];
  /**
   * Who is at the other end: the balloon's driver alone, or a whole operating system. A system may
   * touch other devices, and read all of configuration space. Default `driver`.
   */
  readonly subject?: "driver" | "system";
  /**
   * Whether writes reach the device later than the guest made them, as from an emulator that posts
   * them. What rings hold at a write is not judged then. Default no.
   */
  readonly postedWrites?: boolean;
  /**
   * Whether the driver is judged. Without it the device overwrites no page of the balloon, keeps
   * no trace and gives no verdict: it is a plain balloon device. Default yes.
   */
  readonly judging?: boolean;
  /** Rules that are not judged, for example those that a driver breaks on purpose. */
  readonly waive?: readonly RuleId[];
  /** How many entries the trace keeps; older ones are dropped. Default 4096. */
  readonly traceLimit?: number;
  /** Virtual milliseconds that one access costs, so that waiting loops end. Default 0.001. */
  readonly accessMs?: number;
}

/** Smallest and largest queue that the machine offers. */
const RING_SIZE_MIN = 2;
const RING_SIZE_MAX = 1024;

/** Hosts have fewer such queues, and the notify structure has room for no more. */
const STRANGE_MAX = 8;

export const DEFAULT_ACCESS_MS = 0.001;

/**
 * The profile, with what the options change of it.
 *
 * @throws MachineOptionError when an option makes no sense.
 */
export function withOptions(options: HostOptions): Profile {
  const { profile: wanted = "strict", ringSize, usedLength, queueNumbering, mmio } = options;
  const { hostDesign = "plain", hostVersion, strangeQueues = 0 } = options;
  const profile = typeof wanted === "string" ? named("profile", profiles, wanted) : wanted;
  if (hostVersion !== undefined) named("hostVersion", hostVersions, hostVersion);
  const { offers, withholds }: HostDesign = named("hostDesign", hostDesigns, hostDesign);
  const packed = options.offer?.packed ?? profile.features.includes(FEATURE.ringPacked);
  if (ringSize !== undefined) judgeRingSize(ringSize, packed);
  judgeNumber("strangeQueues", strangeQueues, STRANGE_MAX);
  return {
    ...profile,
    features: [...profile.features.filter((bit) => !withholds.includes(bit)), ...offers],
    queues: profile.queues.map((queue) => ({ ...queue, size: ringSize ?? queue.size })),
    queueNumbering: queueNumbering ?? profile.queueNumbering,
    pci: pciLayout(profile, options),
    mmio: { ...profile.mmio, ...mmio },
    balloon: { ...profile.balloon, ...(usedLength === undefined ? {} : { usedLength }) },
  };
}

function pciLayout(profile: Profile, options: HostOptions): PciLayout {
  const { transport = "modern", vectors = 0, pci } = options;
  judgeNumber("vectors", vectors, VECTORS_MAX);
  if (isMmio(transport) && vectors > 0) {
    const seen = `${vectors}, and ${transport} has one wire and no messages`;
    throw new MachineOptionError("vectors", seen, "leave the option out, or choose PCI");
  }
  const interfaces = isMmio(transport) ? "modern" : transport;
  const layout = layoutWith({ ...profile.pci, ...pci }, interfaces, vectors);
  if (layout !== undefined) return layout;
  const seen = `${transport}, for which the BARs of ${profile.name} have no room`;
  throw new MachineOptionError("transport", seen, "choose other BARs or another transport");
}

/** @throws MachineOptionError when the table has no such name. */
function named<Table extends object>(
  what: string,
  table: Table,
  name: keyof Table & string,
): Table[keyof Table] {
  if (Object.hasOwn(table, name)) return table[name];
  throw new MachineOptionError(what, name, nameOneOf(name, Object.keys(table)));
}

function judgeNumber(what: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= most) return;
  throw new MachineOptionError(what, String(value), `give a number from 0 to ${most}`);
}

function judgeRingSize(size: number, packed: boolean): void {
  const inRange = Number.isInteger(size) && size >= RING_SIZE_MIN && size <= RING_SIZE_MAX;
  if (inRange && (packed || (size & (size - 1)) === 0)) return;
  const what = packed ? "number" : "power of two";
  const todo = `give a ${what} from ${RING_SIZE_MIN} to ${RING_SIZE_MAX}`;
  throw new MachineOptionError("ringSize", String(size), todo);
}
