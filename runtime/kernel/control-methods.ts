/**
 * The methods of the control channel, as a table. Each checks all its parameters before it changes
 * anything.
 */
import { DEFLATE_MODES, type DeflateMode } from "../balloon/deflate-order.ts";
import type { BalloonDriver } from "../balloon/driver.ts";
import { FRAME_STATES } from "../core/exports.ts";
import { BallonetError } from "../errors.ts";
import { namedPolicy } from "../policy/named.ts";
import {
  FatalError,
  RPC_ERROR,
  RpcError,
  type RpcMethod,
  type RpcParams,
} from "./json-rpc-server.ts";
import { FAULT, type Machine } from "./machine.ts";
import type { Workload } from "./workload.ts";

/** Where the ledger's states lie in guest memory: a nibble a frame, the lowest frame lowest. */
export interface LedgerPlace {
  /** Guest physical address. */
  readonly address: number;
  readonly frames: number;
}

export interface ControlMethodsOptions {
  readonly machine: Machine;
  readonly driver: BalloonDriver;
  readonly workload: Workload;
  readonly ledger: LedgerPlace;
}

/** Bits of one frame's state. */
const STATE_BITS = 4;

/** The largest whole number that a method takes: a PFN has 32 bits, and so has a seed. */
const U32_MAX = 0xffff_ffff;

function badParams(detail: string): RpcError {
  return new RpcError(RPC_ERROR.params, "Invalid params", detail);
}

/** @throws RpcError for a parameter that is not in `names`. */
function only(params: RpcParams, names: readonly string[]): void {
  for (const name of Object.keys(params)) {
    if (!names.includes(name)) {
      throw badParams(`unknown "${name}"; there ${names.length > 0 ? `is ${names}` : "are none"}`);
    }
  }
}

function integer(params: RpcParams, name: string, least: number): number {
  const value = params[name];
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= U32_MAX) {
    return value as number;
  }
  throw badParams(`${name}: a whole number from ${least} to ${U32_MAX}, not ${text(value)}`);
}

function string(params: RpcParams, name: string, choices?: readonly string[]): string {
  const value = params[name];
  if (typeof value === "string" && (choices?.includes(value) ?? true)) return value;
  throw badParams(`${name}: ${choices?.join(" or ") ?? "a string"}, not ${text(value)}`);
}

function text(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}

/** Runs `action`. @throws RpcError `refused` with the text of its BallonetError. */
function refusable<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof BallonetError)) throw error;
    throw new RpcError(RPC_ERROR.refused, error.message, { code: error.code });
  }
}

function noHandle(handle: number): RpcError {
  return badParams(`handle: there is no ${handle}`);
}

/** The methods by name, as a client calls them. */
export function controlMethods(options: ControlMethodsOptions): Record<string, RpcMethod> {
  const { machine, driver } = options;
  return {
    status: (params) => {
      only(params, []);
      return {
        ...driver.status(),
        workloadFrames: options.workload.heldFrames,
        footprint: machine.footprint(),
        uptimeMs: machine.now(),
      };
    },
    ledger: (params) => {
      only(params, []);
      return { ...options.ledger, bits: STATE_BITS, states: FRAME_STATES };
    },
    ...workloadMethods(options),
    ...driverMethods(options),
    panic: (params) => {
      only(params, ["kind"]);
      const kind = string(params, "kind", ["error", ...Object.keys(FAULT)]);
      if (kind === "error") throw new FatalError("a deliberate error, asked for by panic");
      machine.provoke(FAULT[kind as keyof typeof FAULT]);
      return null;
    },
    evaluate: (params) => {
      only(params, ["script", "timeoutMs"]);
      const script = string(params, "script");
      const limitMs = params.timeoutMs === undefined ? SCRIPT_MS : integer(params, "timeoutMs", 1);
      return evaluate(machine, script, limitMs);
    },
  };
}

function workloadMethods({ driver, workload }: ControlMethodsOptions): Record<string, RpcMethod> {
  return {
    "workload.allocate": (params) => {
      only(params, ["frames", "seed"]);
      const answer = workload.allocate(integer(params, "frames", 1), integer(params, "seed", 0));
      if ("handle" in answer) return answer;
      throw new RpcError(RPC_ERROR.refused, "not enough free memory", answer);
    },
    "workload.verify": (params) => {
      only(params, ["handle"]);
      const handle = params.handle === undefined ? undefined : integer(params, "handle", 1);
      const verified = workload.verify(handle);
      if (verified === undefined) throw noHandle(handle ?? 0);
      return verified;
    },
    "workload.free": (params) => {
      only(params, ["handle"]);
      const handle = integer(params, "handle", 1);
      const frames = workload.free(handle);
      if (frames === undefined) throw noHandle(handle);
      driver.memoryFreed();
      return { frames };
    },
  };
}

function driverMethods({ driver }: ControlMethodsOptions): Record<string, RpcMethod> {
  const stepping = (action: () => void) => (params: RpcParams) => {
    only(params, []);
    action();
    driver.step();
    return { state: driver.stateName };
  };
  return {
    "policy.set": (params) => {
      only(params, ["name", "options"]);
      const { options: policyOptions = {} } = params;
      if (typeof policyOptions !== "object" || policyOptions === null) {
        throw badParams(`options: an object, not ${text(policyOptions)}`);
      }
      const name = string(params, "name");
      const policy = refusable(() => namedPolicy(name, { ...policyOptions }));
      driver.setPolicy(policy);
      return { policy: policy.name };
    },
    "deflate.set": (params) => {
      only(params, ["mode"]);
      const mode = string(params, "mode", DEFLATE_MODES) as DeflateMode;
      refusable(() => driver.setDeflateMode(mode));
      return { mode };
    },
    "reserve.set": (params) => {
      only(params, ["pages"]);
      const pages = integer(params, "pages", 0);
      driver.setReserve(pages);
      return { pages };
    },
    suspend: stepping(() => driver.suspend()),
    resume: stepping(() => driver.resume()),
  };
}

/** How long a script may take when the host does not say: half of what a host waits for a reply. */
const SCRIPT_MS = 5000;

/** Runs a script of the user's and returns its value as JSON has it. */
function evaluate(machine: Machine, script: string, limitMs: number): unknown {
  // Strict: otherwise the script's variables would become globals of all scripts. What it returns
  // and throws is made a text where it runs, within its time.
  const source = JSON.stringify(`"use strict"; undefined; ${script}`);
  const code = `(() => { try {
    return "=" + (JSON.stringify((0, eval)(${source}) ?? null) ?? "null");
  } catch (error) {
    return "!" + (typeof error?.stack === "string" ? error + "\\n" + error.stack : String(error));
  } })()`;
  let text: string;
  try {
    text = machine.evaluate(code, limitMs);
  } catch (error) {
    throw new RpcError(RPC_ERROR.refused, "the script failed", messageOf(error));
  }
  if (text.startsWith("=")) return JSON.parse(text.slice(1));
  throw new RpcError(RPC_ERROR.refused, "the script failed", text.slice(1));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
