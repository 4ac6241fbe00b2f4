/**
 * JSON with exact integers, for QMP and the control channel.
 *
 * QEMU's statistics are unsigned 64-bit numbers and an unset one is 2^64 - 1, which JSON.parse
 * would round.
 */

import { parse, stringify } from "lossless-json";

/** A JSON value. An integer that a number cannot hold exactly is a bigint, in both directions. */
export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly JsonValue[]
  | JsonObject;

/** A JSON object. Members that are undefined are left out when it is sent. */
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

/** 2^64 has 20 digits; turning megabytes of digits into a bigint would take quadratic time. */
const MAX_INTEGER_DIGITS = 80;

const INTEGER = /^-?\d+$/;

function parseNumber(text: string): number | bigint {
  const value = Number(text);
  if (!INTEGER.test(text) || Number.isSafeInteger(value)) return value;
  if (text.length > MAX_INTEGER_DIGITS) throw new SyntaxError(`Integer of ${text.length} digits`);
  return BigInt(text);
}

/** Parses one JSON text. @throws SyntaxError, also for a key that occurs twice. */
export function parseJson(text: string): JsonValue {
  try {
    return parse(text, null, parseNumber) as JsonValue;
  } catch (error) {
    // Deeply nested input exhausts the stack: it is bad input all the same.
    if (error instanceof RangeError) throw new SyntaxError("JSON nested too deeply");
    throw error;
  }
}

/** Returns one line of JSON, without its end. Bigints become plain integers. */
export function formatJson(value: JsonObject): string {
  return stringify(value) as string;
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns the integer `value` as a bigint; undefined when it is no integer. */
export function asBigInt(value: JsonValue | undefined): bigint | undefined {
  if (typeof value === "bigint") return value;
  return typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : undefined;
}
