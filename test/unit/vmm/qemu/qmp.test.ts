/**
 * The QMP client against a scripted server: exact integers, torn packets, events between replies,
 * errors, time-outs, aborts and a connection that ends at the worst moment.
 */

import { afterEach, expect, test } from "vitest";
import { QmpCommandError, VmmError } from "../../../../src/vmm/errors.ts";
import { MAX_QUEUED_EVENTS, QmpClient, type QmpEvent } from "../../../../src/vmm/qemu/qmp.ts";
import { type Asked, FakeQmp } from "./fake-qmp.ts";

const cleanUps: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function connected(answer: (asked: Asked) => void) {
  const fake = await FakeQmp.start(answer);
  cleanUps.push(() => fake.stop());
  const qmp = await QmpClient.connect({ path: fake.path });
  cleanUps.push(() => qmp.close());
  return { fake, qmp };
}

const STATS =
  '"return": {"stats": {"stat-free-memory": 18446744073709551615, ' +
  '"stat-total-memory": 9007199254740993, "stat-swap-in": 0}, "last-update": 1795380835}';
const balloonChange = (actual: string): string =>
  '{"timestamp": {"seconds": 1795380835, "microseconds": 228876}, ' +
  `"event": "BALLOON_CHANGE", "data": {"actual": ${actual}}}\r\n`;

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error("it did not reject"),
    (reason: unknown) => reason,
  );
  return error instanceof VmmError ? error.code : String(error);
}

test("greets, negotiates and reports the version", async () => {
  const { fake, qmp } = await connected(() => {});
  expect(qmp.version).toEqual({ major: 7, minor: 2, micro: 22, package: "test" });
  expect(fake.faults).toEqual([]);
});

test("integers of 64 bits are exact in both directions", async () => {
  let asked = "";
  const { fake, qmp } = await connected(({ line, reply }) => {
    asked = line;
    reply(STATS);
  });
  const value = 18_446_744_073_709_551_615n;
  const reply = await qmp.execute({ command: "balloon", args: { value, small: 4096 } });
  expect(asked).toContain('"value":18446744073709551615,"small":4096');
  expect(reply).toEqual({
    stats: {
      "stat-free-memory": 18_446_744_073_709_551_615n,
      "stat-total-memory": 9_007_199_254_740_993n,
      "stat-swap-in": 0,
    },
    "last-update": 1_795_380_835,
  });
  expect(fake.faults).toEqual([]);
});

test.each([1, 2, 7, 1000])(
  "messages in packets of %i bytes, events between replies",
  async (size) => {
    const { qmp } = await connected(({ id, send }) => {
      const reply = `{"return": {"n": ${id}, "text": "gr\u00fc\u00df\\n"}, "id": ${id}}\r\n`;
      send(balloonChange("1048576") + reply + balloonChange("18446744073709551615"), size);
    });
    const seen: QmpEvent[] = [];
    qmp.onEvent((event) => seen.push(event));
    const replies = await Promise.all([1, 2, 3].map(() => qmp.execute({ command: "any" })));
    expect(replies).toEqual([2, 3, 4].map((n) => ({ n, text: "gr\u00fc\u00df\n" })));
    await qmp.execute({ command: "any" });
    expect(seen.length).toBeGreaterThanOrEqual(6);
    expect(seen[1]).toEqual({
      name: "BALLOON_CHANGE",
      payload: { actual: 18_446_744_073_709_551_615n },
      timestampUs: 1_795_380_835_228_876n,
    });
  },
);

test("replies in another order reach their own commands", async () => {
  const held: Asked[] = [];
  const { qmp } = await connected((asked) => {
    held.push(asked);
    if (held.length === 3)
      for (const { execute, reply } of held.reverse()) reply(`"return": "${execute}"`);
  });
  const replies = ["a", "b", "c"].map((command) => qmp.execute({ command }));
  expect(await Promise.all(replies)).toEqual(["a", "b", "c"]);
});

test("an error reply becomes an error with class and description", async () => {
  const { qmp } = await connected(({ reply }) =>
    reply('"error": {"class": "DeviceNotActive", "desc": "No balloon device"}'),
  );
  const error = await qmp.execute({ command: "query-balloon" }).catch((reason) => reason);
  expect(error).toBeInstanceOf(QmpCommandError);
  expect(error).toMatchObject({
    code: "qmp-command",
    command: "query-balloon",
    errorClass: "DeviceNotActive",
    desc: "No balloon device",
  });
});

test("a command that was given up leaves the connection in order", async () => {
  const late: Asked[] = [];
  const { fake, qmp } = await connected((asked) => {
    if (asked.execute === "slow") late.push(asked);
    else asked.reply('"return": "quick"');
  });
  expect(await codeOf(qmp.execute({ command: "slow", timeoutMs: 20 }))).toBe("timeout");
  const controller = new AbortController();
  const aborted = qmp.execute({ command: "slow", signal: controller.signal });
  const reason = new Error("enough");
  controller.abort(reason);
  await expect(aborted).rejects.toBe(reason);
  await expect(qmp.execute({ command: "slow", signal: controller.signal })).rejects.toBe(reason);
  await expect.poll(() => late.length).toBe(2);
  for (const { reply } of late) reply('"return": "late"');
  expect(await qmp.execute({ command: "next" })).toBe("quick");
  expect(fake.faults).toEqual([]);
});

test("a connection that closes midway rejects what is pending and what comes after", async () => {
  const { qmp } = await connected(({ send, hangUp }) => {
    send('{"return": {"half": ');
    hangUp();
  });
  const both = [qmp.execute({ command: "a" }), qmp.execute({ command: "b" })];
  const event = qmp.waitForEvent({ name: "RESET" });
  expect(await Promise.all([...both, event].map(codeOf))).toEqual(["closed", "closed", "closed"]);
  expect(await codeOf(qmp.execute({ command: "c" }))).toBe("closed");
});

test.each([
  ["not JSON", "what?\r\n"],
  ["no object", "[1]\r\n"],
  ["neither reply nor event", '{"hello": 1}\r\n'],
  ["an id never sent", '{"return": {}, "id": 99}\r\n'],
  ["no id", '{"error": {"class": "GenericError", "desc": "JSON parse error"}}\r\n'],
])("%s is a broken protocol", async (_name, text) => {
  const { qmp } = await connected(({ send }) => send(text));
  expect(await codeOf(qmp.execute({ command: "a" }))).toBe("protocol");
});

test("a greeting that is none, and one that never comes", async () => {
  for (const [greeting, code] of [
    ['{"hello": 1}\r\n', "protocol"],
    ["", "timeout"],
  ] as const) {
    const fake = await FakeQmp.start(() => {}, { greeting });
    cleanUps.push(() => fake.stop());
    expect(await codeOf(QmpClient.connect({ path: fake.path, timeoutMs: 50 }))).toBe(code);
  }
  expect(await codeOf(QmpClient.connect({ path: "/nonexistent/qmp.sock" }))).toBe("closed");
});

test("events as an iterator: in order, bounded, and ended by the connection", async () => {
  const { fake, qmp } = await connected(({ reply }) => reply('"return": {}'));
  const events = qmp.events();
  const count = MAX_QUEUED_EVENTS + 5;
  fake.say(Array.from({ length: count }, (_, n) => balloonChange(String(n))).join(""), 4096);
  await qmp.execute({ command: "sync" });
  expect((await events.next()).value.payload).toEqual({ actual: 5 });
  expect((await events.next()).value.payload).toEqual({ actual: 6 });
  const waiting = qmp.waitForEvent({ name: "STOP" });
  fake.say('{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}\r\n');
  expect(await waiting).toEqual({ name: "STOP", payload: {}, timestampUs: 1_000_002n });
  let left = 0;
  qmp.close();
  for await (const event of events) left += event.name === "" ? 0 : 1;
  expect(left).toBe(MAX_QUEUED_EVENTS - 2 + 1); // Two were taken, STOP came.
});
