/**
 * The globals of the web that a program in a guest has, besides JavaScript's own. Importing this
 * module defines them, where there is a guest.
 */
import { fromBase64, toBase64 } from "./base64.ts";
import { guestConsole } from "./console.ts";
import { GuestFinalizationRegistry } from "./finalization-registry.ts";
import { host, isGuest } from "./host.ts";
import { fail, startTimer, stopTimer } from "./loop.ts";
import { structuredCloneOf } from "./structured-clone.ts";
import { GuestTextDecoder, GuestTextEncoder } from "./text-encoding.ts";

type Task = (...values: readonly unknown[]) => void;

function timer(name: string, repeats: boolean) {
  return (task: Task, delayMs?: unknown, ...values: readonly unknown[]): number => {
    if (typeof task !== "function") throw new TypeError(`${name}: a function`);
    return startTimer(() => task(...values), delayMs, repeats);
  };
}

const GLOBALS = {
  console: guestConsole,
  setTimeout: timer("setTimeout", false),
  setInterval: timer("setInterval", true),
  setImmediate: (task: Task, ...values: readonly unknown[]) => {
    return startTimer(() => task(...values), 0, false);
  },
  clearTimeout: stopTimer,
  clearInterval: stopTimer,
  clearImmediate: stopTimer,
  queueMicrotask: (task: () => void): void => {
    if (typeof task !== "function") throw new TypeError("queueMicrotask: a function");
    Promise.resolve().then(task).catch(fail);
  },
  performance: { now: () => host.now(), timeOrigin: 0 },
  structuredClone: structuredCloneOf,
  atob: fromBase64,
  btoa: toBase64,
  TextEncoder: GuestTextEncoder,
  TextDecoder: GuestTextDecoder,
  FinalizationRegistry: GuestFinalizationRegistry,
};

if (isGuest) {
  for (const [name, value] of Object.entries(GLOBALS)) {
    const rest = { writable: true, configurable: true, enumerable: false };
    Object.defineProperty(globalThis, name, { value, ...rest });
  }
  // The engine's own frees twice what an iterator of it is told to leave while it begins.
  const { Iterator } = globalThis as { Iterator?: object };
  if (Iterator) Reflect.deleteProperty(Iterator, "concat");
}
