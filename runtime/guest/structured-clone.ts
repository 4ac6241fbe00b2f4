/**
 * `structuredClone` of the HTML standard, for what a guest has: no part of it is transferred.
 */

/** A DataCloneError, as a plain Error of that name. */
function refuse(value: unknown): never {
  const error = new Error(
    `structuredClone: ${typeof value === "function" ? "a function" : String(value)}`,
  );
  error.name = "DataCloneError";
  throw error;
}

/** Returns a copy of `value` with everything in it. @throws Error named DataCloneError. */
export function structuredCloneOf<T>(value: T): T {
  return clone(value, new Map()) as T;
}

function clone(value: unknown, seen: Map<object, unknown>): unknown {
  if (typeof value === "function" || typeof value === "symbol") return refuse(value);
  if (typeof value !== "object" || value === null) return value;
  const known = seen.get(value);
  if (known !== undefined) return known;
  const made = emptyCopy(value);
  seen.set(value, made);
  if (value instanceof Map) {
    for (const [key, one] of value) (made as typeof value).set(clone(key, seen), clone(one, seen));
  } else if (value instanceof Set) {
    for (const one of value) (made as typeof value).add(clone(one, seen));
  } else if (ArrayBuffer.isView(value)) {
    const view = copyOfView(value, clone(value.buffer, seen) as ArrayBuffer);
    seen.set(value, view);
    return view;
  } else if (isPlain(value)) {
    for (const key of Object.keys(value)) {
      (made as Record<string, unknown>)[key] = clone((value as Record<string, unknown>)[key], seen);
    }
  }
  return made;
}

function isPlain(value: object): boolean {
  const wrapped = [Boolean, Number, String, BigInt, Date, RegExp, ArrayBuffer, Error];
  return !wrapped.some((kind) => value instanceof kind);
}

function emptyCopy(value: object): object {
  if (Array.isArray(value)) return new Array(value.length);
  if (value instanceof Date) return new Date(value.getTime());
  if (value instanceof RegExp) return new RegExp(value.source, value.flags);
  if (value instanceof ArrayBuffer) return value.slice(0);
  if (value instanceof Map) return new Map();
  if (value instanceof Set) return new Set();
  if (value instanceof Boolean || value instanceof Number || value instanceof String) {
    return Object(value.valueOf());
  }
  if (value instanceof Error) {
    const made = new Error(value.message, "cause" in value ? { cause: value.cause } : {});
    made.name = value.name;
    if (value.stack !== undefined) made.stack = value.stack;
    return made;
  }
  if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet) {
    return refuse(Object.prototype.toString.call(value));
  }
  return {};
}

function copyOfView(value: ArrayBufferView, buffer: ArrayBuffer): ArrayBufferView {
  const { byteOffset, byteLength } = value;
  if (value instanceof DataView) return new DataView(buffer, byteOffset, byteLength);
  const { length, constructor: Kind } = value as Uint8Array;
  return new (Kind as Uint8ArrayConstructor)(buffer, byteOffset, length);
}
