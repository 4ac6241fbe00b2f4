/**
 * A driver that is a WebAssembly module, in whatever language it is written.
 *
 * It imports what it needs of the module `hal`:
 *
 *   port_read(port, width) -> value        mmio_read(address, width) -> value
 *   port_write(port, width, value)         mmio_write(address, width, value)
 *   now() -> f64, milliseconds             log(level, text, bytes), level 0 debug to 3 error
 *
 * Numbers are i32, and unsigned; an address may also be i64 or f64. `width` is 1, 2 or 4 bytes.
 * It exports `memory`, which is the guest's memory from physical address 0 on, and `step() -> f64`:
 * the milliseconds after which it wants to be called again, negative for "at an interrupt". It may
 * export `start()`, `interrupt(messages)`, `use_pages(count) -> count`, `drop_pages() -> changed`,
 * `unbind()` and `bind()`; see `Driver` for what they mean.
 */
import type { AccessWidth, MachineHal } from "../../device/index.ts";
import { FailureError } from "../../failure.ts";
import type { Driver, DriverSite } from "./driver.ts";
import type { FreshDriver } from "./platform.ts";

type Exports = Readonly<Record<string, WebAssembly.ExportValue>>;
type Call = (...values: number[]) => unknown;

const LEVELS = ["debug", "info", "warn", "error"] as const;

/** Bytes of a log line that are kept. */
const LOG_BYTES_MAX = 1024;

/** What every driver of this kind must export. */
const REQUIRED = { memory: "memory", step: "function" } as const;

function refuse(seen: string, todo: string): FailureError {
  return new FailureError({ kind: "missing", what: "the driver's module", seen, todo });
}

/**
 * Compiles a driver's module. Returns what makes a new instance of it for each guest.
 *
 * @throws FailureError `missing` when it is no WebAssembly, or lacks what a driver needs.
 */
export async function wasmDriver(
  bytes: Uint8Array<ArrayBuffer>,
): Promise<() => Promise<FreshDriver>> {
  const module = await WebAssembly.compile(bytes).catch((error: Error) => {
    throw refuse(
      error.message,
      "give a .wasm file: `clang --target=wasm32 -nostdlib ...` makes one",
    );
  });
  const exported = new Map(
    WebAssembly.Module.exports(module).map(({ name, kind }) => [name, kind]),
  );
  for (const [name, kind] of Object.entries(REQUIRED)) {
    const seen = exported.get(name);
    if (seen === kind) continue;
    throw refuse(
      seen === undefined ? `no export "${name}"` : `export "${name}" is a ${seen}, not a ${kind}`,
      `export ${name === "memory" ? "the memory" : "step() -> f64"} under this name`,
    );
  }
  const known = importsFor(() => {
    throw new Error("never called");
  });
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (kind === "function" && known[from]?.[name] !== undefined) continue;
    throw refuse(
      `it imports ${kind} "${name}" of "${from}"`,
      `import of "hal" alone: ${Object.keys(known.hal ?? {}).join(", ")}`,
    );
  }
  return () => instantiate(module);
}

async function instantiate(module: WebAssembly.Module): Promise<FreshDriver> {
  let site: DriverSite | undefined;
  const current = () => {
    if (site !== undefined) return site;
    throw new Error("the module's start function reached for the hardware; use `start`");
  };
  const { exports } = await WebAssembly.instantiate(module, importsFor(current));
  const start = (given: DriverSite): Driver => {
    site = given;
    find(exports, "_initialize")?.();
    find(exports, "start")?.();
    return driverOf(exports);
  };
  return { memory: exports.memory as WebAssembly.Memory, start };
}

function find(exports: Exports, name: string): Call | undefined {
  const found = exports[name];
  return typeof found === "function" ? (found as Call) : undefined;
}

function driverOf(exports: Exports): Driver {
  const step = find(exports, "step") as Call;
  const interrupt = find(exports, "interrupt");
  const usePages = find(exports, "use_pages");
  const dropPages = find(exports, "drop_pages");
  const unbind = find(exports, "unbind");
  const bind = find(exports, "bind");
  return {
    step: () => {
      const delayMs = Number(step());
      return delayMs >= 0 ? delayMs : undefined;
    },
    ...(interrupt && { interrupt: (messages) => void interrupt(messages) }),
    ...(usePages && { usePages: (pages) => Number(usePages(pages)) >>> 0 }),
    ...(dropPages && { dropPages: () => Number(dropPages()) >>> 0 }),
    ...(unbind && { unbind: () => void unbind() }),
    ...(bind && { bind: () => void bind() }),
  };
}

/** An address or a value as WebAssembly gives it: i32 comes signed, i64 as a BigInt. */
function unsigned(value: number | bigint): number {
  if (typeof value === "bigint") return Number(BigInt.asUintN(64, value));
  return value < 0 ? value >>> 0 : value;
}

function importsFor(
  site: () => DriverSite,
): Record<string, Record<string, WebAssembly.ImportValue>> {
  const hal = (): MachineHal => site().hal;
  const width = (bytes: number): AccessWidth => {
    if (bytes === 1 || bytes === 2 || bytes === 4) return bytes;
    throw new Error(`an access of width ${bytes}; give 1, 2 or 4 bytes`);
  };
  const log = (level: number, text: number, bytes: number) => {
    const { buffer } = site().memory;
    const from = Math.min(unsigned(text), buffer.byteLength);
    const length = Math.min(unsigned(bytes), LOG_BYTES_MAX, buffer.byteLength - from);
    const line = new TextDecoder().decode(new Uint8Array(buffer, from, length));
    hal().log(LEVELS[level] ?? "info", line);
  };
  return {
    hal: {
      port_read: (port: number, bytes: number) => hal().portRead(unsigned(port), width(bytes)),
      port_write: (port: number, bytes: number, value: number) =>
        hal().portWrite(unsigned(port), width(bytes), unsigned(value)),
      mmio_read: (address: number | bigint, bytes: number) =>
        hal().mmioRead(unsigned(address), width(bytes)),
      mmio_write: (address: number | bigint, bytes: number, value: number) =>
        hal().mmioWrite(unsigned(address), width(bytes), unsigned(value)),
      now: () => hal().now(),
      log,
    },
    env: {
      abort: () => {
        throw new Error("abort() was called");
      },
    },
  };
}
