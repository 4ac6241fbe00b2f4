/** The guest's log: what is kept of it, and waiting for a line. */
import { expect, test } from "vitest";
import { GuestLog, MAX_LOG_LINE_BYTES } from "../../../src/vmm/log.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test("the log numbers its lines for good, drops the oldest and cuts the longest", async () => {
  const log = new GuestLog({ maxLines: 16 });
  for (let n = 0; n < 100; n += 1) log.push(text(`line ${n}\n`));
  expect(log.nextNumber).toBe(100);
  expect(log.lines.length).toBeLessThanOrEqual(16);
  expect(log.lines[0]).toBe(`line ${log.firstNumber}`);
  expect(await log.waitForLine({ pattern: /line (\d+)8$/g })).toMatchObject({
    number: 88,
    match: ["line 88", "8"],
  });
  log.push(text(`${"x".repeat(MAX_LOG_LINE_BYTES + 10)}\nshort\nunfinish`));
  expect(log.lines.at(-2)).toHaveLength(MAX_LOG_LINE_BYTES);
  expect(log.tail(1)).toEqual(["short", "unfinish"]);
});

test("waiting for a line: a past one, a coming one, none, and the end of the machine", async () => {
  const log = new GuestLog();
  log.push(text("ballonet: ready\n"));
  expect((await log.waitForLine({ pattern: "ready" })).number).toBe(0);
  const coming = log.waitForLine({ pattern: "ready", from: log.nextNumber });
  log.push(text("noise\nballonet: rea"));
  log.push(text("dy again\n"));
  expect(await coming).toMatchObject({ number: 2, text: "ballonet: ready again" });
  const timeout = await log.waitForLine({ pattern: /never/, timeoutMs: 10 }).catch((e) => e);
  expect(timeout).toMatchObject({ code: "timeout" });
  expect(timeout.message).toContain("/never/");
  expect(timeout.message).toContain("ready again");
  const lines: string[] = [];
  const reading = (async () => {
    for await (const line of log) lines.push(line);
  })();
  const reason = new Error("gone");
  const unmet = expect(log.waitForLine({ pattern: "never" })).rejects.toBe(reason);
  log.push(text("last words"));
  log.close(reason);
  await Promise.all([unmet, reading]);
  expect(lines).toEqual(["ballonet: ready", "noise", "ballonet: ready again", "last words"]);
  expect((await log.waitForLine({ pattern: "last" })).number).toBe(3);
});
