/** A host: what starts a machine with an image, and does what its side of a balloon can do. */
import type { ControlPort } from "../../../runtime/abi.ts";
import type { BalloonStatistics, ControlClient } from "../../vmm/index.ts";

/** The device that a machine is to have. What is not given, is as the host has it by itself. */
export interface DeviceWishes {
  /** Whether it offers DEFLATE_ON_OOM. */
  readonly deflateOnOom?: boolean;
  /** True: it offers free page reporting. */
  readonly reporting?: boolean;
  /** True: it offers free page hinting. */
  readonly hinting?: boolean;
}

/** What a host is given to start. */
export interface HostLaunch {
  /** Path of the image: a Multiboot ELF32, or an ELF with a PVH note. */
  readonly image: string;
  /** The guest's command line. */
  readonly append: string;
  /** A multiple of 1 MiB. */
  readonly memoryBytes: number;
  /** Default: none. */
  readonly device?: DeviceWishes;
  /** Aborted when the machine has to end. */
  readonly signal: AbortSignal;
}

/** What a host can do, and `HostHand` has a function for, or which `DeviceWishes` it knows. */
export const HOST_ABILITIES = [
  "target",
  "shown",
  "statistics",
  "interval",
  "hint",
  "pause",
  "snapshot",
  "resident",
  "reset",
  "deflate-on-oom",
  "reporting",
  "hinting",
] as const;

/** One of `HOST_ABILITIES`. */
export type HostAbility = (typeof HOST_ABILITIES)[number];

/**
 * The host's side of one machine. A function that is missing is something that the host cannot do.
 * Each rejects when the host refuses or the machine has ended. Pages have 4 KiB.
 */
export interface HostHand {
  /** `target`: sets how large the balloon shall be; does not wait for the guest. */
  setTarget?(pages: number): Promise<unknown>;
  /** Targets are multiples of so many pages. Default 1. */
  readonly targetUnitPages?: number;
  /** `shown`: what the host tells of the balloon's size. */
  shown?(): Promise<{ readonly actualPages: number }>;
  /**
   * `statistics`: those that the host has; with `fresh` it waits for newer ones.
   */
  statistics?(options: { readonly fresh: boolean }): Promise<BalloonStatistics>;
  /** Within so many milliseconds the host asks the guest for statistics. Default 1,200. */
  readonly askMs?: number;
  /** `interval`: seconds from one request for statistics to the next. */
  setInterval?(seconds: number): Promise<unknown>;
  /** `hint`: one run of free page hinting; resolves when the guest has hinted all. */
  hint?(): Promise<unknown>;
  /** `pause`: stops the guest's processor. */
  pause?(): Promise<unknown>;
  /** Lets it go on. */
  resume?(): Promise<unknown>;
  /**
   * `snapshot`: saves the machine or lets it migrate, ends it, and returns the one in which the
   * guest goes on.
   */
  snapshot?(): Promise<CheckedMachine>;
  /** `resident`: bytes of the host's memory that the machine has. */
  residentBytes?(): Promise<number | undefined>;
  /** `reset`: the machine boots anew. */
  reset?(): Promise<unknown>;
}

/** A running machine. */
export interface CheckedMachine {
  /** What the guest prints on COM1, line by line; ends with the machine. */
  readonly lines: AsyncIterable<string>;
  /** How the machine ended, in words for people; resolves when it has. */
  readonly ended: Promise<string>;
  /** Ends the machine. */
  kill(): Promise<unknown>;
  /** The guest's control channel, where the host has a serial port for it. */
  readonly control?: ControlClient;
  /** Default: the host can do nothing to a machine that runs. */
  readonly hand?: HostHand;
}

/** A host, for `checkDevice` and for a file that `--on` names. */
export interface CheckHostSystem {
  /** What is checked, for people: "QEMU 10.0". */
  readonly name: string;
  /** For which processor the image has to be. */
  readonly arch: "i386" | "x86_64";
  /** Where the device is: `pc`, `q35`, `microvm` and the like. */
  readonly machine: string;
  /** What else was chosen, by name, for the report. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The serial port that `control` of its machines is on. Default: they have none. */
  readonly control?: ControlPort;
  /** What its machines can do. Default: nothing. */
  readonly can?: readonly HostAbility[];
  /** Starts the machine. Rejects when it cannot start. */
  launch(options: HostLaunch): Promise<CheckedMachine>;
}
