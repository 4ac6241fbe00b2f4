/**
 * What a machine can be asked to be.
 *
 * It must not hold state. Invariant: an option that makes no sense throws before anything is made.
 */

import { type HostDesign, type HostDesignName, hostDesigns } from "./host/host-design.ts";
import { type HostVersion, hostVersions } from "./host/host-version.ts";
import type { Offer } from "./host/offer.ts";
import type { MmioLayout, PciLayout, Profile, UsedLength } from "./host/profile.ts";
import { type ProfileName, profiles } from "./host/profiles.ts";
import type { GuestMemorySource } from "./memory/guest-memory.ts";
import { lookWith, VECTORS_MAX } from "./pci/pci-layout.ts";
import type { Completion } from "./queue/completion.ts";
import type { FaultSpec } from "./sim/faults.ts";
import { FEATURE } from "./spec/numbers.ts";
import type { QueueNumbering, QueueRole } from "./spec/roles.ts";
import type { RuleId } from "./spec/rules.ts";
import { type InterruptMessage, isMmio, type TransportKind } from "./virtio/bus.ts";

/** Width of one access, in bytes. */
export type AccessWidth = 1 | 2 | 4;

/** What a driver may ask of the machine. */
export interface MachineHal {
  portRead(port: number, width: AccessWidth): number;
  portWrite(port: number, width: AccessWidth, value: number): void;
  mmioRead(address: number, width: AccessWidth): number;
  mmioWrite(address: number, width: AccessWidth, value: number): void;
  now(): number;
  log(level: "debug" | "info" | "warn" | "error", line: string): void;
  /** Absent where the machine takes no message-signalled interrupts. */
  readonly interrupts?: {
    /** So many new messages, all different; `undefined` when there are not so many left. */
    allocate(count: number): readonly InterruptMessage[] | undefined;
  };
}

/** One schedule for all queues, or one for each; a queue without one returns buffers at once. */
export type CompletionOption =
  | Completion
  | { readonly [role in Exclude<QueueRole, "stats">]?: Completion };

export interface MachineOptions {
  /** The device to be: a name, or values of one's own. Default `strict`. */
  readonly profile?: ProfileName | Profile;
  /** The way to the device. Default `modern`. */
  readonly transport?: TransportKind;
  /** Entries of the device's MSI-X table, at most 128. Default 0: it has no MSI-X. */
  readonly vectors?: number;
  /** Interrupt messages that the machine has to hand out. Default 32; with 0 it takes none. */
  readonly messages?: number;
  /**
   * The guest's memory: byte 0 of the buffer is physical address 0. It is fetched anew at every
   * access, because a wasm memory that grows gets a new buffer.
   */
  readonly memory: GuestMemorySource;
  /** Frames of 4 KiB that the guest has. Default: as many as the memory holds now. */
  readonly frames?: number;
  /**
   * Entries offered for each queue, from 2 to 1024. To split queues the power of two below it is
   * offered; a number that is none makes sense only where packed ones are. Default: the profile's.
   */
  readonly ringSize?: number;
  readonly offer?: Offer;
  /** By which convention queues are numbered. Default: the profile's. */
  readonly queueNumbering?: QueueNumbering;
  /**
   * Queues behind the balloon's own that belong to features which nobody has described, as one host
   * has them. A driver leaves them alone. Default 0, at most 8.
   */
  readonly strangeQueues?: number;
  readonly completion?: CompletionOption;
  /** Whether the device asks for no notifications while it has buffers to return. Default no. */
  readonly quietWhileBusy?: boolean;
  /**
   * Whether a device that uses buffers in order reports those that are done together with one used
   * entry (2.7.9 and 2.8.8). Default yes; without IN_ORDER it means nothing.
   */
  readonly inOrderBatches?: boolean;
  /** What a device says in `used.len`. Default: the profile's. */
  readonly usedLength?: UsedLength;
  /**
   * Whether held pages are overwritten, so that a guest that touches them is found. Default yes.
   */
  readonly canary?: boolean;
  /** What the host does with the memory behind the balloon. Default `plain`. */
  readonly hostDesign?: HostDesignName;
  /** Be the host of this version, and offer nothing newer. Default: the newest. */
  readonly hostVersion?: HostVersion;
  /** A guest that another machine saved: it goes on here. */
  readonly incoming?: Uint8Array;
  /** Whether to offer what that machine offered, in place of one's own. Default no. */
  readonly adoptOffer?: boolean;
  readonly seed?: number;
  readonly faults?: readonly FaultSpec[];
  /** Rules not to judge: a driver's known and intended departures. */
  readonly waive?: readonly RuleId[];
  /** Where and how the device sits on PCI, where it differs from the profile. */
  readonly pci?: Partial<PciLayout>;
  /** Where and how it sits without PCI, where it differs from the profile. */
  readonly mmio?: Partial<MmioLayout>;
  /** What `actual` shows before any driver came, as left over by an earlier guest. Default 0. */
  readonly staleActual?: number;
  /** Entries that the trace keeps, the last ones. Default 4096. */
  readonly traceLimit?: number;
  /** Virtual milliseconds that one access costs, so that waiting loops end. Default 0.001. */
  readonly accessMs?: number;
}

export interface CheckOptions {
  /** The guest has no more pages to give: D4 is not judged. Default false. */
  readonly memoryShort?: boolean;
}

/** Smallest and largest queue that the machine offers. */
const RING_SIZE_MIN = 2;
const RING_SIZE_MAX = 1024;

/** More queues than any host has behind those of the balloon; notify addresses end soon after. */
const STRANGE_MAX = 8;

export const DEFAULT_ACCESS_MS = 0.001;

/** More than one balloon asks for, few enough that running out can be tried. */
export const DEFAULT_MESSAGES = 32;

/** A wrong option. */
export class MachineOptionError extends Error {
  readonly code = "machine-option";
}

/** The schedule of one queue. The statistics queue needs none. */
export function scheduleOf(role: QueueRole | undefined, option: CompletionOption): Completion {
  if ("kind" in option) return option;
  const named = role === undefined || role === "stats" ? undefined : option[role];
  return named ?? { kind: "immediate" };
}

/** The profile, with what the options change of it. Throws `MachineOptionError`. */
export function withOptions(options: MachineOptions): Profile {
  const { profile: wanted = "strict", ringSize, usedLength, queueNumbering, mmio } = options;
  const profile = typeof wanted === "string" ? profiles[wanted] : wanted;
  if (profile === undefined) throw new MachineOptionError(`profile: ${String(wanted)} is unknown`);
  const design = hostDesigns[options.hostDesign ?? "plain"];
  if (design === undefined) {
    throw new MachineOptionError(`hostDesign: ${String(options.hostDesign)} is unknown`);
  }
  const { hostVersion } = options;
  if (hostVersion !== undefined && !Object.hasOwn(hostVersions, hostVersion)) {
    throw new MachineOptionError(`hostVersion: ${String(hostVersion)} is unknown`);
  }
  const { offers, withholds }: HostDesign = design;
  const packed = options.offer?.packed ?? profile.features.includes(FEATURE.ringPacked);
  if (ringSize !== undefined && !soundRingSize(ringSize, packed)) {
    const what = packed ? "number" : "power of two";
    throw new MachineOptionError(`ringSize: ${ringSize} is no ${what} from 2 to 1024`);
  }
  const { strangeQueues = 0 } = options;
  if (!Number.isInteger(strangeQueues) || strangeQueues < 0 || strangeQueues > STRANGE_MAX) {
    throw new MachineOptionError(`strangeQueues: ${strangeQueues} is no number from 0 to 8`);
  }
  return {
    ...profile,
    features: [...profile.features.filter((bit) => !withholds.includes(bit)), ...offers],
    queues: profile.queues.map((queue) => ({ ...queue, size: ringSize ?? queue.size })),
    queueNumbering: queueNumbering ?? profile.queueNumbering,
    pci: soundLook(profile, options),
    mmio: { ...profile.mmio, ...mmio },
    balloon: { ...profile.balloon, ...(usedLength === undefined ? {} : { usedLength }) },
  };
}

function soundLook(profile: Profile, options: MachineOptions): PciLayout {
  const { transport = "modern", vectors = 0, pci } = options;
  if (!Number.isInteger(vectors) || vectors < 0 || vectors > VECTORS_MAX) {
    throw new MachineOptionError(`vectors: ${vectors} is no number from 0 to ${VECTORS_MAX}`);
  }
  if (isMmio(transport) && vectors > 0) {
    throw new MachineOptionError(`vectors: ${transport} has one wire and no messages`);
  }
  const interfaces = isMmio(transport) ? "modern" : transport;
  const look = lookWith({ ...profile.pci, ...pci }, interfaces, vectors);
  if (look !== undefined) return look;
  throw new MachineOptionError(`transport: the BARs of ${profile.name} have no room for it`);
}

function soundRingSize(size: number, packed: boolean): boolean {
  if (!Number.isInteger(size) || size < RING_SIZE_MIN || size > RING_SIZE_MAX) return false;
  return packed || (size & (size - 1)) === 0;
}
