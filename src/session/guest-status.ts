/**
 * The check of a guest's `status` reply: everything that a session reads from it is there.
 */
import { type DriverStatus, FRAME_STATES } from "../../runtime/abi.ts";
import { FailureError } from "../failure.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../vmm/json.ts";

/** The part of the guest's reply that a session reads. */
export type GuestStatus = Pick<
  DriverStatus,
  (typeof TEXTS)[number] | "queues" | "reservePages" | "outOfReach" | "frames" | "lastError"
> & { readonly totals: Pick<DriverStatus["totals"], "notifications" | "reported"> };

const TEXTS = [
  ...(["state", "transport", "persona", "policy"] as const),
  ...(["deflateMode", "offered", "negotiated"] as const),
] as const;

function unexpected(field: string, value: JsonValue | undefined): FailureError {
  return new FailureError({
    kind: "guest",
    what: "the guest's status",
    seen: `${field}: ${String(value)}`,
    todo: "boot an image of this version: without --image one is built",
  });
}

function checkText(object: JsonObject, field: string): void {
  if (typeof object[field] !== "string") throw unexpected(field, object[field]);
}

function checkCount(object: JsonObject, field: string): void {
  const value = object[field];
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return;
  throw unexpected(field, value);
}

function member(object: JsonObject, field: string): JsonObject {
  const value = object[field];
  if (isJsonObject(value)) return value;
  throw unexpected(field, value);
}

/**
 * Returns `reply` as the guest's status.
 * @throws FailureError `guest` when a field is missing, as in an image of another version.
 */
export function readStatus(reply: JsonValue): GuestStatus {
  if (!isJsonObject(reply)) throw unexpected("reply", reply);
  for (const field of TEXTS) checkText(reply, field);
  for (const state of FRAME_STATES) checkCount(member(reply, "frames"), state);
  checkCount(reply, "reservePages");
  for (const total of ["notifications", "reported"]) checkCount(member(reply, "totals"), total);
  if (typeof reply.outOfReach !== "boolean") throw unexpected("outOfReach", reply.outOfReach);
  if (!Array.isArray(reply.queues)) throw unexpected("queues", reply.queues);
  for (const queue of reply.queues as readonly JsonValue[]) {
    if (!isJsonObject(queue)) throw unexpected("queue", queue);
    checkText(queue, "role");
    checkCount(queue, "index");
    checkCount(queue, "size");
  }
  if (reply.lastError !== undefined) {
    for (const field of ["code", "message"]) checkText(member(reply, "lastError"), field);
  }
  return reply as unknown as GuestStatus;
}

/** All frames that the guest's ledger describes; the number never changes. */
export function totalFrames({ frames }: GuestStatus): number {
  return FRAME_STATES.reduce((sum, state) => sum + frames[state], 0);
}
