/** The control channel's server: one reply a line, whatever is in it. */
import { fc, test as property } from "@fast-check/vitest";
import { expect, it } from "vitest";
import {
  FatalError,
  JsonRpcServer,
  REQUEST_BYTES_MAX,
  RPC_ERROR,
  RpcError,
  type RpcParams,
} from "../../../runtime/kernel/json-rpc-server.ts";

interface Reply {
  readonly jsonrpc: string;
  readonly id: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

function serve() {
  const lines: string[] = [];
  const calls: RpcParams[] = [];
  const server = new JsonRpcServer({
    send: (line) => {
      expect(line).toMatch(/^[\x20-\x7e]+\n$/);
      lines.push(line);
    },
    methods: {
      echo: (params) => {
        calls.push(params);
        return params;
      },
      nothing: () => undefined,
      refuse: () => {
        throw new RpcError(RPC_ERROR.refused, "no", { why: "not today" });
      },
      fail: () => {
        throw new TypeError("broken inside");
      },
      die: () => {
        throw new FatalError("on purpose");
      },
    },
  });
  const replies = () => lines.splice(0).map((line) => JSON.parse(line) as Reply);
  return { server, replies, calls };
}

/** UTF-8, each byte as one character: what a serial port hands over. */
const wire = (text: string) => Buffer.from(text, "utf8").toString("latin1");
const request = (id: unknown, method: string, params?: object) =>
  wire(`${JSON.stringify({ jsonrpc: "2.0", id, method, ...(params && { params }) })}\n`);

it("answers by id, in order, whatever the pieces were", () => {
  const { server, replies } = serve();
  const bytes = request(1, "echo", { text: "grüße \u{1f388}" }) + request("two", "nothing");
  const ended = [...bytes].filter((byte) => server.receive(byte));
  expect(ended).toEqual(["\n", "\n"]);
  expect(replies()).toEqual([
    { jsonrpc: "2.0", id: 1, result: { text: "grüße \u{1f388}" } },
    { jsonrpc: "2.0", id: "two", result: null },
  ]);
});

it("an empty line is nothing", () => {
  const { server, replies } = serve();
  server.receive("\n  \n\r\n");
  expect(replies()).toEqual([]);
});

it.each([
  ["fail", { code: RPC_ERROR.internal, message: "Internal error", data: "broken inside" }],
  ["refuse", { code: RPC_ERROR.refused, message: "no", data: { why: "not today" } }],
])("a method that throws is answered: %s", (method, error) => {
  const { server, replies } = serve();
  server.receive(request(5, method));
  expect(replies()).toEqual([{ jsonrpc: "2.0", id: 5, error }]);
});

it("an unknown method is answered with the names that there are", () => {
  const { server, replies } = serve();
  for (const name of ["ecco", "constructor", "__proto__", "hasOwnProperty", ""]) {
    server.receive(request(5, name));
    const [reply] = replies();
    expect(reply).toMatchObject({ id: 5, error: { code: RPC_ERROR.method } });
    expect(reply?.error?.data).toContain("echo, nothing, refuse");
  }
});

it("a notification is obeyed and never answered, not even when it fails", () => {
  const { server, replies, calls } = serve();
  for (const method of ["echo", "fail", "refuse", "unknown"]) {
    server.receive(wire(`{"jsonrpc":"2.0","method":"${method}","params":{"a":1}}\n`));
  }
  expect(replies()).toEqual([]);
  expect(calls).toEqual([{ a: 1 }]);
});

it("a fatal error goes through: the guest is to end", () => {
  const { server, replies } = serve();
  expect(() => server.receive(request(1, "die"))).toThrow("on purpose");
  expect(replies()).toEqual([]);
});

it.each([
  ['{"jsonrpc":"2.0","id":1,"method":"echo"', null, RPC_ERROR.parse],
  ["\xff\xfe", null, RPC_ERROR.parse],
  ['"\xc3"', null, RPC_ERROR.parse],
  ["%41", null, RPC_ERROR.parse],
  ["[]", null, RPC_ERROR.request],
  ['[{"jsonrpc":"2.0","id":1,"method":"echo"}]', null, RPC_ERROR.request],
  ["null", null, RPC_ERROR.request],
  ['"echo"', null, RPC_ERROR.request],
  ['{"id":3,"method":"echo"}', 3, RPC_ERROR.request],
  ['{"jsonrpc":"2.0","id":3,"method":["echo"]}', 3, RPC_ERROR.request],
  ['{"jsonrpc":"2.0","id":[3],"method":"echo"}', null, RPC_ERROR.request],
  ['{"jsonrpc":"2.0","id":3,"method":"echo","params":[1]}', 3, RPC_ERROR.request],
  ['{"jsonrpc":"2.0","id":3,"method":"echo","params":null}', 3, RPC_ERROR.request],
])("%s is refused, and nothing is called", (line, id, code) => {
  const { server, replies, calls } = serve();
  server.receive(`${line}\n`);
  expect(replies()).toMatchObject([{ jsonrpc: "2.0", id, error: { code } }]);
  expect(calls).toEqual([]);
  server.receive(request(9, "echo"));
  expect(replies()).toMatchObject([{ id: 9, result: {} }]);
});

it("a line as long as the limit is served, a longer one refused once, however it arrives", () => {
  for (const pieceLength of [1 << 20, 4096, 14]) {
    const { server, replies, calls } = serve();
    const head = '{"jsonrpc":"2.0","id":1,"method":"echo","params":{"x":"';
    const fill = REQUEST_BYTES_MAX - head.length - 3;
    for (const [extra, served] of [
      [0, true],
      [1, false],
      [100_000, false],
      [0, true],
    ] as const) {
      const line = `${head}${"x".repeat(fill + extra)}"}}\n`;
      for (let at = 0; at < line.length; at += pieceLength) {
        server.receive(line.slice(at, at + pieceLength));
      }
      const got = replies();
      expect(got).toHaveLength(1);
      if (served) expect(got[0]?.result).toBeDefined();
      else expect(got[0]).toMatchObject({ id: null, error: { code: RPC_ERROR.request } });
    }
    expect(calls).toHaveLength(2);
  }
});

property.prop([fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 })])(
  "any bytes at all: one reply a line that is not blank, and the next request is served",
  (lines) => {
    const { server, replies } = serve();
    const text = lines.map((line) => Buffer.from(line).toString("latin1").replaceAll("\n", " "));
    server.receive(text.map((line) => `${line}\n`).join(""));
    expect(replies()).toHaveLength(text.filter((line) => line.trim() !== "").length);
    server.receive(request(1, "echo"));
    expect(replies()).toMatchObject([{ id: 1 }]);
  },
);
