/** v86's thread, when it ends or misbehaves: an outcome, in time, and nothing of it is left. */
import type { Worker } from "node:worker_threads";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { v86HostOf } from "../../../src/check/hosts/v86.ts";
import { checkDevice } from "../../../src/check/index.ts";
import { VmmError } from "../../../src/vmm/index.ts";

/** A thread's file with this script, in which `send` sends to the host. */
function thread(script: string): URL {
  const head = `import { parentPort } from "node:worker_threads";
    const send = (message) => parentPort.postMessage(message);`;
  return new URL(`data:text/javascript,${encodeURIComponent(`${head}\n${script}`)}`);
}

const STARTED = "send({ started: true });";
const image = "none.elf";

/** Threads that were started and have not ended. */
const running = new Set<Worker>();
let started = 0;
const note = (worker: Worker) => {
  started++;
  running.add(worker);
  worker.once("exit", () => running.delete(worker));
};
beforeAll(() => void process.on("worker", note));
afterAll(() => void process.off("worker", note));
afterEach(() => {
  expect(started).toBeGreaterThan(0);
  expect(running.size).toBe(0);
  started = 0;
});

/** How the report says that not all checks came to their end. */
async function endOf(file: URL, timeoutMs = 15_000): Promise<string | null | undefined> {
  const report = await checkDevice({ host: v86HostOf(file), image, timeoutMs });
  expect(report.passed).toBe(false);
  expect(report.results).toMatchObject([{ scenario: "ENDS", outcome: "crashed" }]);
  return report.results[0]?.note;
}

describe("a thread of v86 that", () => {
  it.each([
    ["at its start", "for (;;);"],
    ["amid the checks", `${STARTED} for (;;);`],
    ["in a wait", `${STARTED} Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`],
  ])("hangs %s is ended in time", async (_, script) => {
    expect(await endOf(thread(script), 500)).toBe(
      "it did not end within 500 ms, before the first check",
    );
  });

  it.each([
    // Its error may come before the message that it has started.
    [
      "throws",
      `${STARTED} throw new TypeError("no queue");`,
      /^(it does not start: .*)?a failure.*TypeError: no queue/,
    ],
    [
      "exits",
      `${STARTED} setTimeout(() => process.exit(7), 50);`,
      /^(it does not start: .*)?an end of.*, with 7,/,
    ],
    ["floods", `${STARTED} for (;;) send({ line: "a flood" });`, /^it floods its serial port/],
    ["throws at its start", `throw new Error("no v86");`, /^it does not start:.*no v86/],
    ["says why it cannot start", `send({ failed: "a full disk" });`, /^it does not.*a full disk/],
    ["ends", `${STARTED} send({ line: "1..2" }); send({ ended: "a halt" });`, /^a halt, before/],
  ])("%s is an outcome", async (_, script, seen) => {
    expect(await endOf(thread(script))).toMatch(seen);
  });

  it("is not there is an outcome", async () => {
    expect(await endOf(new URL("file:///nonexistent/thread.js"))).toMatch(/^it does not start: /);
  });

  it("refuses what the caller wants rejects as v86 itself does", async () => {
    const parts = { code: "image", what: "the image", seen: "none", todo: "build one" };
    const host = v86HostOf(thread(`send({ failed: ${JSON.stringify(parts)} });`));
    await expect(checkDevice({ host, image })).rejects.toMatchObject(parts);
  });

  it("runs when the caller gives up is ended, and the caller's reason is thrown", async () => {
    const given = new AbortController();
    const host = v86HostOf(thread(`${STARTED} for (;;);`));
    const work = checkDevice({ host, image, signal: given.signal });
    setTimeout(() => given.abort(new Error("enough")), 300);
    await expect(work).rejects.toThrow("enough");
  });
});

describe("a call of a thread's hand", () => {
  const ANSWERS = `parentPort.on("message", ({ id, call, argument }) => {
    if (call === "shown") send({ id, value: { actualPages: 3n } });
    if (call === "hint") send({ id, error: "no hints" });
    const error = { code: "option", what: "a target", seen: String(argument), todo: "less" };
    if (call === "setTarget") send({ id, error });
  });`;

  async function machine(script: string) {
    const host = v86HostOf(thread(script));
    const { signal } = new AbortController();
    return host.launch({ image, append: "", memoryBytes: 2 ** 20, signal });
  }

  it("is answered, or rejects as the one in the thread", async () => {
    const { hand, kill, ended } = await machine(`${ANSWERS} ${STARTED}`);
    expect(await hand?.shown?.()).toEqual({ actualPages: 3n });
    await expect(hand?.hint?.()).rejects.toThrow("no hints");
    await expect(hand?.setTarget?.(9)).rejects.toMatchObject({ code: "option", seen: "9" });
    await expect(hand?.setTarget?.(9)).rejects.toBeInstanceOf(VmmError);
    await kill();
    expect(await ended).toBe("a kill");
  });

  it("rejects when the machine ends before the answer, and after that", async () => {
    const { hand, kill, control } = await machine(STARTED);
    const [waits, asked] = [hand?.pause?.(), control?.request({ method: "status" })];
    const both = Promise.allSettled([waits, asked]);
    await kill();
    for (const one of await both) {
      expect(one).toMatchObject({ status: "rejected", reason: { code: "exited", seen: "a kill" } });
    }
    await expect(hand?.pause?.()).rejects.toMatchObject({ code: "exited", seen: "a kill" });
  });
});
