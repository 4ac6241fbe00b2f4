/**
 * What runs a driver and carries the reference device for it: this process, an emulator in it, or
 * one beside it. The scenarios know these types alone, so every platform runs the same ones.
 */
import type { Device, DeviceOptions, ProfileName } from "../device/index.ts";

/** Guests count their memory in such pages. */
export const PAGE_BYTES = 4096;

/** The host's side of the reference device: what a scenario asks for, and what it looks at. */
export type JudgedDevice = Pick<
  Device,
  | "actual"
  | "check"
  | "faultsStruck"
  | "finishHinting"
  | "heldPages"
  | "hinting"
  | "inject"
  | "negotiated"
  | "outcome"
  | "plug"
  | "reportedPages"
  | "requestStats"
  | "setTarget"
  | "startHinting"
  | "stats"
  | "status"
  | "stopHinting"
  | "summary"
  | "target"
  | "unplug"
>;

/** Options of the device that a scenario may ask for. */
export type ScenarioDevice = Pick<
  DeviceOptions,
  "completion" | "faults" | "offer" | "staleActual" | "strangeQueues"
> & {
  /** Another balloon than that of the chosen profile, in the same place on the bus. */
  readonly profile?: ProfileName;
};

/** How much of each page is written; a system that cannot choose writes what it likes. */
export type PageUse = "whole" | "part";

/**
 * What the system around the driver can be asked to do. A member is absent where the system cannot;
 * scenarios that need it are left out.
 */
export interface SystemActions {
  /**
   * Uses this many more pages, each with contents of its own: all of it, or a part, so that what
   * was in the rest before stays there unless the system clears it. Returns how many it got.
   */
  usePages?(pages: number, how?: PageUse): Promise<number>;
  /** Verifies the contents of all used pages and frees them. Returns how many had changed. */
  dropPages?(): Promise<number>;
  /** Takes the driver from the device, and gives the device to the driver. */
  unbind?(): Promise<void>;
  bind?(): Promise<void>;
  /** Removes the driver's code from the system, and brings it back. */
  unload?(): Promise<void>;
  load?(): Promise<void>;
  /** Removes the device from the system, which forgets it; and looks for devices anew. */
  remove?(): Promise<void>;
  rescan?(): Promise<void>;
  /** Puts the machine to sleep and wakes it. */
  suspend?(): Promise<void>;
}

/** One driver on one device, from its start to its end. */
export interface JudgedGuest {
  readonly device: JudgedDevice;
  /** Pages of 4 KiB that the guest has. */
  readonly pages: number;
  readonly system: SystemActions;
  /** How the driver ended, where that is not how the device stands at the end. */
  readonly outcome?: Device["outcome"];
  /**
   * Lets driver and device work until both wait for nothing but an event from outside.
   * @throws GuestLost when they never do, or when the guest ends; GuestEnded.
   */
  rest(): Promise<void>;
  /** Lets this many milliseconds of the device's time pass. @throws GuestLost */
  pass(ms: number): Promise<void>;
  /**
   * Moves the guest, as it stands, to another host, whose device this is: `device` is that one from
   * now on. Absent where the platform cannot.
   */
  move?(device: ScenarioDevice): Promise<void>;
  /** The devices of the hosts that the guest has left. */
  readonly left: readonly JudgedDevice[];
  /** Ends the guest. Never throws. */
  close(): Promise<void>;
}

/** What runs guests. */
export interface Platform {
  /** Its name in reports: `in process`, `v86`, `qemu`. */
  readonly name: string;
  /**
   * Starts the driver on a new device; with some platforms the system goes on from one guest to the
   * next. Returns when the driver has had its time to come up, whether or not it did.
   * @throws FailureError when the guest cannot be started at all.
   */
  start(options: {
    readonly device: ScenarioDevice;
    readonly signal: AbortSignal;
  }): Promise<JudgedGuest>;
}

/** Why a guest does not go on. */
export class GuestLost extends Error {
  /** `hung`: it works without end. `crashed`: it stopped by itself. */
  readonly how: "hung" | "crashed";

  constructor(how: "hung" | "crashed", message: string) {
    super(message);
    this.name = "GuestLost";
    this.how = how;
  }
}

/** A guest was ended from outside amid a scenario: what was seen until then counts. */
export class GuestEnded extends Error {
  override readonly name = "GuestEnded";
}

/**
 * How a driver stood at the end of a scenario: as the device tells it, or `crashed`, when its code
 * stopped by itself: a trap, an exception, a panic.
 */
export type Outcome = Device["outcome"]["end"] | "crashed";
