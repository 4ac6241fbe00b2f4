/**
 * How far a migration is, out of QEMU's query-migrate. Versions of QEMU differ: a figure that is
 * not there yet is 0, one that is no longer counted is undefined.
 */

import type { Deadline } from "../deadline.ts";
import { asBigInt, isJsonObject, type JsonObject } from "../json.ts";
import type { QemuVmm } from "./qemu.ts";

/** How far a migration is, by the source's figures. Pages have 4 KiB. */
export interface MigrationProgress {
  /** QEMU's word: "none", "setup", "active", "device", "completed", "failed", "cancelled", ... */
  readonly status: string;
  readonly totalBytes: number;
  /** Bytes on the wire so far. */
  readonly transferredBytes: number;
  readonly remainingBytes: number;
  /** Pages sent whole. */
  readonly normalPages: number;
  /** Pages of one repeated byte, sent as a few bytes. */
  readonly duplicatePages: number;
  /** Undefined for a QEMU that does not count them any more. */
  readonly skippedPages: number | undefined;
  /** How often QEMU looked for pages written meanwhile. */
  readonly dirtySyncs: number;
  readonly setupMs: number;
  readonly totalMs: number;
  /** How long the guest stood still; known when the migration is completed. */
  readonly downtimeMs: number;
  /** Why it failed, in QEMU's words; "" where it said nothing. */
  readonly errorText: string;
}

/** Asks a source. */
export async function progressOf(vm: QemuVmm, deadline: Deadline): Promise<MigrationProgress> {
  const reply = await vm.execute({ ...deadline, command: "query-migrate" });
  const said = isJsonObject(reply) ? reply : {};
  const ram = isJsonObject(said.ram) ? said.ram : {};
  return {
    status: String(said.status ?? "none"),
    totalBytes: figure(ram, "total"),
    transferredBytes: figure(ram, "transferred"),
    remainingBytes: figure(ram, "remaining"),
    normalPages: figure(ram, "normal"),
    duplicatePages: figure(ram, "duplicate"),
    skippedPages: "skipped" in ram ? figure(ram, "skipped") : undefined,
    dirtySyncs: figure(ram, "dirty-sync-count"),
    setupMs: figure(said, "setup-time"),
    totalMs: figure(said, "total-time"),
    downtimeMs: figure(said, "downtime"),
    errorText: String(said["error-desc"] ?? ""),
  };
}

function figure(said: JsonObject, name: string): number {
  return Number(asBigInt(said[name]) ?? 0n);
}
