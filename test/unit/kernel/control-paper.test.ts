/**
 * CONTROL.md and the control channel: each method has a row with its parameters, each field and
 * error of the paper is there, and the session that it shows goes as it says.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { DEFLATE_MODES } from "../../../runtime/balloon/deflate-order.ts";
import { FRAME_STATES } from "../../../runtime/core/exports.ts";
import { Guest } from "../../../runtime/kernel/guest.ts";
import { RPC_ERROR } from "../../../runtime/kernel/json-rpc-server.ts";
import { FAULT } from "../../../runtime/kernel/machine.ts";
import { POLICY_NAMES } from "../../../runtime/policy/named.ts";
import { FakeMachine } from "../../support/fake-machine.ts";

const paper = readFileSync(new URL("../../../CONTROL.md", import.meta.url), "utf8");
/** Fields of the status that are absent when there is nothing to say. */
const OPTIONAL_FIELDS = ["hintRun", "lastError"];

interface Reply {
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly data?: unknown };
}

/** A guest that answers one line at a time, at rest in between. */
function booted() {
  const machine = new FakeMachine();
  const guest = new Guest(machine);
  guest.start();
  const rest = () => {
    while ((machine.device?.run() ?? 0) > 0 || machine.device?.interruptPending) guest.wake(0);
  };
  rest();
  const send = (line: string): string => {
    const before = machine.written[2].length;
    machine.send(`${line}\n`);
    guest.wake(1 << 3);
    rest();
    return machine.written[2].slice(before).trimEnd();
  };
  const call = (method: string, params: object = {}): Reply =>
    JSON.parse(send(JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })));
  return { machine, send, call };
}

/** The rows of the table under a heading, by the words in backticks of their first cell. */
function rows(heading: string): Map<string, string> {
  const section = paper.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  const found = new Map<string, string>();
  for (const [, first = "", rest = ""] of section.matchAll(/^\| ([^|]+) \|(.*)$/gm)) {
    for (const name of wordsIn(first)) found.set(name, rest);
  }
  return found;
}

/** Words in backticks, without those that stand for a choice. */
function wordsIn(text: string): string[] {
  return [...text.matchAll(/`([\w.]+)`/g)].map((match) => match[1] as string);
}

const methods = rows("Methods");
const cells = (method: string) => (methods.get(method) ?? "").split("|").map((cell) => cell.trim());

it("CONTROL.md has each method, and no other", () => {
  const said = String(booted().call("no method").error?.data);
  expect([...methods.keys()].sort()).toEqual(said.split("there are ")[1]?.split(", ").sort());
});

describe("CONTROL.md has the parameters of", () => {
  it.each([...methods.keys()])("%s", (method) => {
    const { error } = booted().call(method, { "no parameter": 1 });
    const names = /there is (.*)$/.exec(String(error?.data))?.[1]?.split(",") ?? [];
    // The options of a policy are no parameters: they stand behind the colon of `options`.
    const told = wordsIn(cells(method)[0]?.replace(/`options`\): .*/, "`options`") ?? "");
    expect(error?.code).toBe(RPC_ERROR.params);
    expect(told).toEqual(names);
  });

  it("all choices", () => {
    for (const name of POLICY_NAMES) expect(methods.get("policy.set")).toContain(name);
    for (const mode of DEFLATE_MODES) expect(methods.get("deflate.set")).toContain(mode);
    for (const fault of Object.keys(FAULT)) expect(methods.get("panic")).toContain(fault);
  });
});

it("CONTROL.md has each field of the status, and no other", () => {
  const status = booted().call("status").result as Record<string, object>;
  const told = rows("Status");
  expect([...Object.keys(status), ...OPTIONAL_FIELDS].sort()).toEqual([...told.keys()].sort());
  for (const name of ["totals", "footprint", "inFlight"]) {
    const row = name === "inFlight" ? told.get(name) : told.get(name)?.split(":")[1];
    expect(wordsIn(row ?? "")).toEqual(Object.keys(status[name] ?? {}));
  }
  expect(wordsIn(told.get("frames") ?? "").sort()).toEqual([...FRAME_STATES].sort());
});

it("CONTROL.md has each error code, and no other", () => {
  const told = [...paper.matchAll(/^\| (-32\d+) \|/gm)].map((match) => Number(match[1]));
  expect(told.sort()).toEqual(Object.values(RPC_ERROR).sort());
});

describe("the session in CONTROL.md", () => {
  const lines = /^```jsonrpc\n([\s\S]*?)^```$/m.exec(paper)?.[1]?.trimEnd().split("\n") ?? [];

  it("goes as it says", () => {
    const { machine, send } = booted();
    vi.stubGlobal("machine", machine);
    onTestFinished(() => {
      vi.unstubAllGlobals();
    });
    let last = "";
    for (const line of lines) {
      if (line.startsWith("> ")) last = send(line.slice(2));
      else expect(last).toMatch(shape(line.slice(2)));
    }
    // The last request has no reply: the guest was to end.
    expect(machine.faults).toEqual([FAULT.wasmTrap]);
  });

  it("calls each method", () => {
    const called = lines.filter((line) => line.startsWith("> ")).map((line) => line.slice(2));
    const names = new Set(called.map((line) => JSON.parse(line).method as string));
    expect([...methods.keys()].filter((name) => !names.has(name))).toEqual([]);
  });
});

/** The text with `...` standing for any other. */
function shape(text: string): RegExp {
  const parts = text.split("...").map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`);
}
