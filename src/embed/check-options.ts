/**
 * What callers hand over, checked before anything is touched: JavaScript has no types to do so.
 *
 * Ranges are checked for their shape alone; `openMemory` checks their numbers.
 */
import { INTERRUPT_CHOICES, nearestName, PCI_INTERFACES } from "../../runtime/abi.ts";
import {
  BallonetError,
  type ErrorCode,
  FRAME_BYTES,
  type Hal,
  type MemoryRange,
  namedPolicy,
  type Policy,
  type PolicyName,
} from "../../runtime/index.ts";
import type { BalloonOptions } from "./options.ts";

/** The names of an interface's members. One that is added does not compile until it stands here. */
type Names<Of> = Readonly<Record<keyof Of, true>>;
type Discover = NonNullable<BalloonOptions["discover"]>;

const OPTIONS: Names<BalloonOptions> = {
  memory: true,
  hal: true,
  arena: true,
  ram: true,
  policy: true,
  settings: true,
  statistics: true,
  core: true,
  transport: true,
  discover: true,
  signal: true,
};
const DISCOVER: Names<Discover> = {
  memoryEnd: true,
  acpiRoot: true,
  prefer: true,
  interrupts: true,
  commandLine: true,
  probe: true,
  ram: true,
};
const HAL_FUNCTIONS: Names<Omit<Hal, "interrupts">> = {
  portRead: true,
  portWrite: true,
  mmioRead: true,
  mmioWrite: true,
  now: true,
  log: true,
};

function refuse(code: ErrorCode, what: string, value: unknown, todo: string): BallonetError {
  return new BallonetError({ code, what, seen: formatValue(value), todo });
}

/** Returns a value of any type in a few words. */
function formatValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return `the function ${value.name}`.trimEnd();
  if (typeof value !== "object" || value === null) return String(value);
  const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
  return tag === "Object" ? `an object with ${Object.keys(value).join(", ") || "nothing"}` : tag;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hasFunction(value: unknown, name: string): boolean {
  return typeof (value as Readonly<Record<string, unknown>> | null)?.[name] === "function";
}

/** Returns what to do about a name that is none of `names`. */
function nameOneOf(names: readonly string[], wrong: string): string {
  const nearest = nearestName(wrong, names);
  const hint = nearest === undefined ? "" : `did you mean ${nearest}? `;
  return `${hint}there are ${names.join(", ")}`;
}

function checkNames(what: string, value: unknown, known: object, need: string): void {
  if (!isObject(value)) throw refuse("config", what, value, need);
  for (const name of Object.keys(value)) {
    if (Object.hasOwn(known, name)) continue;
    const todo = nameOneOf(Object.keys(known), name);
    throw new BallonetError({ code: "config", what, seen: `an unknown one, "${name}"`, todo });
  }
}

function checkChoice(what: string, value: unknown, choices: readonly unknown[]): void {
  if (value === undefined || choices.includes(value)) return;
  throw refuse("config", what, value, nameOneOf(choices.map(String), String(value)));
}

function checkFunction(what: string, value: unknown): void {
  if (value === undefined || typeof value === "function") return;
  throw refuse("config", what, value, "give a function, or leave the option out");
}

/**
 * Returns the signal in `options`.
 * @throws BallonetError `config` when they are no object, or it is no AbortSignal.
 */
export function signalOf(options: unknown): AbortSignal | undefined {
  if (!isObject(options)) throw refuse("config", "options", options, "give { signal }, or nothing");
  const { signal } = options;
  if (signal === undefined) return undefined;
  if (hasFunction(signal, "throwIfAborted")) return signal as AbortSignal;
  throw refuse("config", "signal", signal, "give the signal of an AbortController");
}

/** As `signalOf`, where there has to be one. */
export function neededSignalOf(options: unknown): AbortSignal {
  const signal = isObject(options) ? signalOf(options) : undefined;
  if (signal !== undefined) return signal;
  const todo = "give { signal }, that of an AbortController: aborting it ends the call";
  throw refuse("config", "options", options, todo);
}

/** @throws BallonetError `config` when it is neither undefined nor has a transport's functions. */
export function checkTransport(transport: unknown): void {
  if (transport === undefined || (isObject(transport) && hasFunction(transport, "status"))) return;
  throw refuse("config", "transport", transport, "give the transport of a device that was found");
}

/**
 * Returns the policy that was given, or that was named.
 * @throws BallonetError `config` when there is no such policy.
 */
export function policyOf(policy: Policy | PolicyName): Policy {
  if (typeof policy === "string") return namedPolicy(policy);
  if (isObject(policy) && hasFunction(policy, "decide")) return policy;
  const todo =
    typeof policy === "function" ? "call it: it returns a policy" : "give follow(), for example";
  throw refuse("config", "policy", policy, todo);
}

function checkHal(hal: unknown): void {
  if (!isObject(hal)) {
    const todo = `give an object with the functions ${Object.keys(HAL_FUNCTIONS).join(", ")}`;
    throw refuse("config", "hal", hal, todo);
  }
  for (const name of Object.keys(HAL_FUNCTIONS)) {
    if (hasFunction(hal, name)) continue;
    throw refuse("config", `hal.${name}`, hal[name], `give the Hal a function ${name}`);
  }
  const { interrupts } = hal;
  if (interrupts === undefined || hasFunction(interrupts, "allocate")) return;
  const todo = "give an object with a function allocate, or leave it out: the line is used then";
  throw refuse("config", "hal.interrupts", interrupts, todo);
}

function checkMemory(memory: unknown): void {
  // By its tag, for a memory may come from another window, with a class of its own.
  if (Object.prototype.toString.call(memory) !== "[object WebAssembly.Memory]") {
    throw refuse("memory", "memory", memory, "give the VM's WebAssembly.Memory");
  }
  const { buffer } = memory as WebAssembly.Memory;
  if (Object.prototype.toString.call(buffer) !== "[object SharedArrayBuffer]") return;
  const todo = "make it without `shared`: core.wasm is built for the memory of one thread";
  throw new BallonetError({ code: "memory", what: "memory", seen: "a shared memory", todo });
}

function checkRange(what: string, range: unknown): void {
  const need = "give { start, bytes }, both numbers of bytes; for the arena see balloonArenaBytes";
  if (!isObject(range)) throw refuse("memory", what, range, need);
  for (const name of ["start", "bytes"]) {
    if (typeof range[name] === "number") continue;
    throw refuse("memory", `${what}, ${name}`, range[name], need);
  }
}

function checkRam(ram: unknown): void {
  if (!Array.isArray(ram)) throw refuse("memory", "ram", ram, "give a list of { start, bytes }");
  for (const [index, range] of ram.entries()) checkRange(`ram[${index}]`, range);
}

function checkSettings(settings: unknown): void {
  if (settings === undefined || isObject(settings)) return;
  const persona = typeof settings === "string" ? settings : "linux";
  const todo = `give an object, for example { persona: ${JSON.stringify(persona)} }`;
  throw refuse("config", "settings", settings, todo);
}

/** What `balloonArenaBytes` looks at, of options that may have more. */
export function checkArenaOptions(options: unknown): void {
  checkNames("options", options, OPTIONS, "give an object with ram");
  const { ram, settings } = options as Partial<BalloonOptions>;
  checkRam(ram);
  checkSettings(settings);
  signalOf(options);
}

/**
 * @throws BallonetError `memory` for memory and its ranges, `config` for all others, when one is
 * missing, of another type than it has to be, or unknown.
 */
export function checkOptions(options: unknown): void {
  checkNames("options", options, OPTIONS, "give an object with memory, hal, arena and ram");
  const { memory, hal, arena, policy, statistics, transport, discover } =
    options as Partial<BalloonOptions>;
  checkMemory(memory);
  checkHal(hal);
  checkRange("arena", arena);
  checkArenaOptions(options);
  if (policy !== undefined) policyOf(policy);
  checkFunction("statistics", statistics);
  checkTransport(transport);
  if (discover === undefined) return;
  checkNames("discover", discover, DISCOVER, "give an object");
  checkChoice("discover.prefer", discover.prefer, PCI_INTERFACES);
  checkChoice("discover.interrupts", discover.interrupts, INTERRUPT_CHOICES);
}

/** @throws BallonetError `memory` when a range ends beyond the memory. */
export function checkInsideMemory(
  memory: WebAssembly.Memory,
  ranges: readonly MemoryRange[],
): void {
  const end = memory.buffer.byteLength;
  for (const { start, bytes } of ranges) {
    // What is no number of bytes at all is refused with better words by `openMemory`.
    if (!Number.isSafeInteger(start + bytes) || start + bytes <= end) continue;
    throw new BallonetError({
      code: "memory",
      what: "a range of the VM's memory",
      seen: `an end at ${start + bytes} in a memory of ${end} bytes`,
      todo: "grow the memory first, or name a smaller range",
    });
  }
}

/** @throws BallonetError `config` when it is no number of pages. */
export function checkPages(what: string, pages: unknown): void {
  if (Number.isInteger(pages) && (pages as number) >= 0 && (pages as number) <= 0xffff_ffff) return;
  throw refuse("config", what, pages, "give a whole number of pages from 0 to 4294967295");
}

/** @throws BallonetError `memory` when it is no object; `Frames` checks its numbers. */
export function checkRun(run: unknown): void {
  if (isObject(run)) return;
  throw refuse("memory", "frames to release", run, "give what allocate returned");
}

/** @throws BallonetError `memory` when the memory has no such frame. */
export function checkFrame(memory: unknown, pfn: number): void {
  checkMemory(memory);
  const frames = Math.floor((memory as WebAssembly.Memory).buffer.byteLength / FRAME_BYTES);
  if (Number.isInteger(pfn) && pfn >= 0 && pfn < frames) return;
  throw refuse("memory", "PFN", pfn, `give a page frame number below ${frames}`);
}

/** @throws BallonetError `core-abi` when it is nothing that core.wasm can come from. */
export function checkCoreSource(source: unknown): void {
  if (typeof source !== "string" && !(source instanceof URL)) {
    if (source === undefined || typeof source === "function" || isObject(source)) return;
  }
  const todo = "give a module, its bytes or fetch(URL), or leave it out: the package carries it";
  throw refuse("core-abi", "core.wasm", source, todo);
}
