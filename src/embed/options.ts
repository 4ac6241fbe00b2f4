/** The options of `createBalloon`. */
import type {
  DiscoverOptions,
  Hal,
  MemoryRange,
  Policy,
  PolicyName,
  SettingsInput,
  Statistics,
  Transport,
} from "../../runtime/index.ts";

/** core.wasm: a compiled module, its bytes, or the response to a request for them. */
export type CoreSource =
  | WebAssembly.Module
  | BufferSource
  | Response
  | PromiseLike<Response>
  | (() => Promise<BufferSource>);

/** What `createBalloon` is given. Addresses and lengths are in bytes. */
export interface BalloonOptions {
  /** The VM's memory, not a shared one: its offset 0 is guest physical address 0. */
  readonly memory: WebAssembly.Memory;
  /** The machine that the driver runs on. */
  readonly hal: Hal;
  /**
   * Memory for the core's own use: page-aligned, not at 0. `balloonArenaBytes` says how many bytes.
   */
  readonly arena: MemoryRange;
  /** The RAM that guest and balloon share: page-aligned, without the arena. */
  readonly ram: readonly MemoryRange[];
  /** A policy, or the name of a stock one. Default: `follow()`. */
  readonly policy?: Policy | PolicyName;
  /** A persona and changes to it. */
  readonly settings?: SettingsInput;
  /**
   * Returns what to report to the host, in bytes or counts. What it leaves out, and all by default,
   * is what the ledger knows; that is 0 where it knows nothing, as of page faults.
   */
  readonly statistics?: () => Partial<Statistics>;
  /** core.wasm. Default: the one that this package carries. */
  readonly core?: CoreSource;
  /** The way to the device. Default: the first balloon that the Hal reaches. */
  readonly transport?: Transport;
  /** How to look for it: which interface and which interrupts to prefer, where MMIO slots are. */
  readonly discover?: Omit<DiscoverOptions, "hal">;
  /** Aborting rejects `createBalloon` with the signal's reason. A running balloon ignores it. */
  readonly signal?: AbortSignal;
}
