/** The control client against a scripted peer: ids, errors, rubbish, bounds and the guest's end. */

import { expect, test } from "vitest";
import {
  ControlClient,
  MAX_REPLY_BYTES,
  MAX_REQUEST_BYTES,
  MAX_STRAY_LINES,
} from "../../../src/vmm/control.ts";
import { ControlReplyError, VmmError } from "../../../src/vmm/errors.ts";

interface Request {
  readonly jsonrpc: string;
  readonly id: number;
  readonly method: string;
  readonly params?: unknown;
}

/** A peer that answers each request line with what `answer` returns, byte by byte. */
function peer(answer: (request: Request, line: string) => string | undefined) {
  const sent: string[] = [];
  const control = new ControlClient({
    logTail: () => ["the last log line"],
    send: (bytes) => {
      const line = new TextDecoder().decode(bytes);
      sent.push(line);
      const reply = answer(JSON.parse(line) as Request, line);
      queueMicrotask(() => {
        for (const byte of new TextEncoder().encode(reply ?? "")) {
          control.receive(Uint8Array.of(byte));
        }
      });
    },
  });
  return { control, sent };
}

const result = (id: number, value: string): string =>
  `{"jsonrpc":"2.0","id":${id},"result":${value}}\r\n`;

test("a request is one line of JSON-RPC 2.0 and returns the result, integers exact", async () => {
  const { control, sent } = peer(({ id }) => result(id, '{"seed":18446744073709551615}'));
  const reply = await control.request({
    method: "workload.allocate",
    params: { frames: 3, seed: 2n ** 64n - 1n },
  });
  expect(reply).toEqual({ seed: 2n ** 64n - 1n });
  expect(sent).toEqual([
    '{"jsonrpc":"2.0","id":1,"method":"workload.allocate",' +
      '"params":{"frames":3,"seed":18446744073709551615}}\n',
  ]);
});

test("replies in another order, and a result of null", async () => {
  const held: number[] = [];
  const { control } = peer(({ id }) => {
    held.push(id);
    return held.length < 2 ? undefined : result(2, "null") + result(1, '"first"');
  });
  const replies = [control.request({ method: "a" }), control.request({ method: "b" })];
  expect(await Promise.all(replies)).toEqual(["first", null]);
});

test("an error reply becomes an error with code, message and data", async () => {
  const { control } = peer(
    ({ id }) =>
      `{"jsonrpc":"2.0","id":${id},"error":` +
      '{"code":-32601,"message":"Method not found","data":{"method":"x"}}}\n',
  );
  const error = await control.request({ method: "x" }).catch((reason) => reason);
  expect(error).toBeInstanceOf(ControlReplyError);
  expect(error).toMatchObject({
    code: "control-reply",
    method: "x",
    rpcCode: -32601,
    rpcMessage: "Method not found",
    detail: { method: "x" },
  });
});

test("what is no reply is set aside, bounded, and harms no request", async () => {
  const rubbish = [
    "Booting...",
    '{"jsonrpc":"2.0","id":77,"result":1}',
    '{"jsonrpc":"2.0","id":1,"result":1,"error":{"code":1,"message":"both"}}',
    '{"jsonrpc":"2.0","id":1}',
    '{"jsonrpc":"2.0","id":null,"result":1}',
    '{"id":1,"result":"not 2.0"}',
    "[1]",
  ];
  const { control } = peer(({ id }) => `\n${rubbish.join("\n")}\n${result(id, '"good"')}`);
  expect(await control.request({ method: "a" })).toBe("good");
  expect(control.strayLines).toEqual(rubbish);
  control.receive(new TextEncoder().encode("noise\n".repeat(MAX_STRAY_LINES + 3)));
  expect(control.strayLines).toEqual(new Array(MAX_STRAY_LINES).fill("noise"));
});

test("a line beyond the bound is dropped as a whole, and the next one counts again", async () => {
  const { control } = peer(({ id }) => result(id, '"after"'));
  control.receive(new TextEncoder().encode("x".repeat(MAX_REPLY_BYTES + 1)));
  control.receive(new TextEncoder().encode(`${result(1, '"inside the long line"').trim()}\n`));
  expect(control.strayLines).toHaveLength(1);
  expect(await control.request({ method: "a" })).toBe("after");
});

test("a request beyond the bound is refused before anything is sent", async () => {
  const { control, sent } = peer(() => undefined);
  const params = { script: "x".repeat(MAX_REQUEST_BYTES) };
  await expect(control.request({ method: "evaluate", params })).rejects.toMatchObject({
    code: "option",
  });
  expect(sent).toEqual([]);
});

test("time-out and abort: the late reply is a stray line, the error quotes the log", async () => {
  const { control } = peer(() => undefined);
  const error = await control
    .request({ method: "status", timeoutMs: 10 })
    .catch((reason) => reason);
  expect(error).toMatchObject({ code: "timeout" });
  expect(error.message).toContain("the guest's reply to status");
  expect(error.message).toContain("the last log line");
  const reason = new Error("enough");
  const controller = new AbortController();
  const aborted = control.request({ method: "status", signal: controller.signal });
  controller.abort(reason);
  await expect(aborted).rejects.toBe(reason);
  control.receive(new TextEncoder().encode(result(1, "1")));
  expect(control.strayLines).toHaveLength(1);
});

test("a reply without an id is kept for whoever sent a broken line", async () => {
  const { control, sent } = peer(() => undefined);
  const waiting = control.takeUnattributed();
  const parseError =
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}\n';
  control.sendLine({ line: "0" });
  control.receive(new TextEncoder().encode(parseError + parseError));
  const expected = { rpcCode: -32700, rpcMessage: "Parse error", detail: undefined };
  expect(await waiting).toEqual(expected);
  expect(await control.takeUnattributed()).toEqual(expected);
  await expect(control.takeUnattributed({ timeoutMs: 10 })).rejects.toMatchObject({
    code: "timeout",
  });
  expect(sent).toEqual(["0\n"]);
});

test("the guest's end rejects what is pending and what comes after with its reason", async () => {
  const { control } = peer(() => undefined);
  const reason = new VmmError({ code: "exited", what: "the machine", seen: "its end", todo: "x" });
  const pending = [control.request({ method: "a" }), control.takeUnattributed()];
  control.close(reason);
  for (const promise of pending) await expect(promise).rejects.toBe(reason);
  await expect(control.request({ method: "b" })).rejects.toBe(reason);
});
