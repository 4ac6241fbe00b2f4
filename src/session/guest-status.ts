/**
 * The guest's status as the session needs it, out of a reply on the control channel.
 *
 * It must not ask by itself. Invariant: a reply that lacks a field is an error here; no number that
 * the guest did not send is ever shown.
 */
import { FRAME_STATES, type FrameState } from "../../runtime/core/exports.ts";
import { FailureError } from "../failure.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../vmm/json.ts";

export interface GuestQueue {
  readonly role: string;
  readonly index: number;
  readonly size: number;
}

export interface GuestStatus {
  readonly state: string;
  readonly transport: string;
  readonly persona: string;
  readonly policy: string;
  readonly deflateMode: string;
  /** Feature names, separated by blanks; "none" for none. */
  readonly offered: string;
  readonly negotiated: string;
  readonly queues: readonly GuestQueue[];
  readonly reservePages: number;
  readonly outOfReach: boolean;
  readonly notifications: number;
  readonly frames: Readonly<Record<FrameState, number>>;
  /** Sum of `frames`: all that the ledger describes. */
  readonly totalFrames: number;
  /** What the driver failed with, if it did. */
  readonly lastError: { readonly code: string; readonly message: string } | undefined;
}

function unexpected(field: string, value: JsonValue | undefined): FailureError {
  return new FailureError({
    kind: "guest",
    what: "the guest's status",
    seen: `${field}: ${String(value)}`,
    todo: "boot an image of this version: without --image one is built",
  });
}

function text(object: JsonObject, field: string): string {
  const value = object[field];
  if (typeof value === "string") return value;
  throw unexpected(field, value);
}

function count(object: JsonObject, field: string): number {
  const value = object[field];
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw unexpected(field, value);
}

function member(object: JsonObject, field: string): JsonObject {
  const value = object[field];
  if (isJsonObject(value)) return value;
  throw unexpected(field, value);
}

/** Throws FailureError `guest` when the reply is not the status of a guest of this version. */
export function readStatus(reply: JsonValue): GuestStatus {
  if (!isJsonObject(reply)) throw unexpected("reply", reply);
  const counts = member(reply, "frames");
  const pairs = FRAME_STATES.map((state): [FrameState, number] => [state, count(counts, state)]);
  const queues = Array.isArray(reply.queues) ? (reply.queues as readonly JsonValue[]) : [];
  const { lastError } = reply;
  return {
    state: text(reply, "state"),
    transport: text(reply, "transport"),
    persona: text(reply, "persona"),
    policy: text(reply, "policy"),
    deflateMode: text(reply, "deflateMode"),
    offered: text(reply, "offered"),
    negotiated: text(reply, "negotiated"),
    queues: queues.filter(isJsonObject).map((queue) => ({
      role: text(queue, "role"),
      index: count(queue, "index"),
      size: count(queue, "size"),
    })),
    reservePages: count(reply, "reservePages"),
    outOfReach: reply.outOfReach === true,
    notifications: count(member(reply, "totals"), "notifications"),
    frames: Object.fromEntries(pairs) as Record<FrameState, number>,
    totalFrames: pairs.reduce((sum, [, frames]) => sum + frames, 0),
    lastError: isJsonObject(lastError)
      ? { code: text(lastError, "code"), message: text(lastError, "message") }
      : undefined,
  };
}
