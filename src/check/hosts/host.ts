/** A host: what starts a machine with the checking image, and lends its hand to the checks. */
import type { HostAnswer, HostRequest } from "../../../runtime/abi.ts";

/** What a host is given to start. */
export interface HostLaunch {
  /** Path of the image: a Multiboot ELF32, or an ELF with a PVH note. */
  readonly image: string;
  /** The guest's command line. */
  readonly append: string;
  /** Aborted when the machine has to end. */
  readonly signal: AbortSignal;
}

/** A machine that runs the checks. */
export interface CheckedMachine {
  /** What the guest prints on COM1, line by line; ends with the machine. */
  readonly lines: AsyncIterable<string>;
  /** How the machine ended, in words for people; resolves when it has. */
  readonly ended: Promise<string>;
  /** Ends the machine. */
  kill(): Promise<unknown>;
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
  /** Starts the machine. Rejects when it cannot start. */
  launch(options: HostLaunch): Promise<CheckedMachine>;
  /** Whether somebody reads COM2 and does there what checks ask for. Default: no. */
  readonly hasHand?: boolean;
}

/** Does one thing that a check asks for. Undefined: this host cannot. */
export type Hand = (request: HostRequest) => Promise<HostAnswer | undefined>;
