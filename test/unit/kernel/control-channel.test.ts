/** Where the control channel is, and that a host which does not read loses nothing. */
import { describe, expect, it } from "vitest";
import { Guest } from "../../../runtime/kernel/guest.ts";
import { RPC_ERROR } from "../../../runtime/kernel/json-rpc-server.ts";
import { FakeMachine, type FakeMachineOptions } from "../../support/fake-machine.ts";

const COM1 = 1;
const BOTH = 3;
const ON_COM1 = "ballonet: the control channel is on COM1";

function booted(options: FakeMachineOptions) {
  const machine = new FakeMachine(options);
  const guest = new Guest(machine);
  guest.start();
  const settle = () => {
    while ((machine.device?.run() ?? 0) > 0 || machine.asking !== 0) guest.wake(machine.asking);
  };
  settle();
  const lines = (port: 1 | 2) => machine.written[port].split("\n").slice(0, -1);
  return { machine, settle, lines, replies: (port: 1 | 2) => lines(port).filter(isReply) };
}

const isReply = (line: string) => line.startsWith('{"jsonrpc":"2.0","id":');
const request = (id: number, method: string, params = {}) =>
  `${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`;

describe.each([
  ["without COM2", { serialPorts: COM1 }],
  ["by the command line", { serialPorts: BOTH, commandLine: "ballonet.control=com1" }],
])("on COM1, %s", (_how, options: FakeMachineOptions) => {
  it("answers between the lines of the log", () => {
    const { machine, settle, lines, replies } = booted(options);
    expect(lines(1)).toContain(ON_COM1);
    machine.send(request(1, "reserve.set", { pages: 7 }), 1);
    machine.send(request(2, "suspend"), 1);
    settle();
    expect(replies(1).map((line) => JSON.parse(line).id)).toEqual([1, 2]);
    for (const line of lines(1)) expect(line).toMatch(/^(ballonet: |\{"jsonrpc":"2.0","id":)/);
    expect(lines(2)).toEqual([]);
  });

  it("does not answer what it has said itself, which a host may echo", () => {
    const { machine, settle, lines, replies } = booted(options);
    machine.send(request(1, "reserve.set", { pages: -1 }), 1);
    settle();
    const said = machine.written[1];
    machine.send(said, 1);
    settle();
    expect(machine.written[1]).toBe(said);
    machine.send("what?\n", 1);
    settle();
    expect(lines(1)).toHaveLength(said.split("\n").length);
    expect(JSON.parse(replies(1).at(-1) ?? "")).toMatchObject({
      error: { code: RPC_ERROR.parse },
    });
  });
});

it("is on COM2 where that is, and leaves COM1 alone", () => {
  const { machine, settle, lines, replies } = booted({ serialPorts: BOTH });
  expect(lines(1)).not.toContain(ON_COM1);
  machine.send(request(1, "status"), 2);
  settle();
  expect(replies(2)).toHaveLength(1);
  expect([...machine.lines]).not.toContain(4);
});

it("is nowhere without a port, or without the one that is wanted", () => {
  for (const options of [
    { serialPorts: 0 },
    { serialPorts: COM1, commandLine: "ballonet.control=com2" },
  ]) {
    const { machine, settle, lines } = booted(options);
    machine.send(request(1, "status"), 1);
    settle();
    expect(lines(1).filter(isReply)).toEqual([]);
    expect(lines(2)).toEqual([]);
  }
});

describe.each([1, 2] as const)("a host that does not read port %i", (port) => {
  it("loses no reply, and makes the guest wait with the next request", () => {
    const commandLine = `ballonet.control=com${port}`;
    const { machine, settle, lines, replies } = booted({ serialPorts: BOTH, commandLine });
    const before = lines(port).length;
    machine.reads = false;
    for (let id = 1; id <= 20; id++) {
      machine.send(request(id, "reserve.set", { pages: id }), port);
    }
    settle();
    expect(lines(port)).toHaveLength(before);
    machine.read();
    const some = replies(port).length;
    expect(some).toBeGreaterThan(0);
    expect(some).toBeLessThan(20);
    settle();
    expect(replies(port).map((line) => JSON.parse(line))).toEqual(
      Array.from({ length: 20 }, (_, at) => ({
        jsonrpc: "2.0",
        id: at + 1,
        result: { pages: at + 1 },
      })),
    );
  });
});
