/**
 * What a session decides before anything starts, and the pieces that it is made of.
 */
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { FailureError } from "../../../src/failure.ts";
import { ImageError } from "../../../src/image/errors.ts";
import { cacheFolder } from "../../../src/package.ts";
import { failureOf } from "../../../src/session/failure-of.ts";
import { readStatus, totalFrames } from "../../../src/session/guest-status.ts";
import { planSession, type SessionOptions } from "../../../src/session/plan.ts";
import { qemuCommand, shellLine } from "../../../src/session/qemu-command.ts";
import { runSession } from "../../../src/session/session.ts";
import { VmmError } from "../../../src/vmm/errors.ts";
import { EventQueue } from "../../../src/vmm/event-queue.ts";

const MIB = 2 ** 20;

describe("the plan of a session", () => {
  it("is half of 64 MiB and back, on v86", () => {
    expect(planSession({ on: "v86" })).toMatchObject({
      arch: "i386",
      machine: null,
      memoryBytes: 64 * MIB,
      targets: [8192, 0],
      workloadPages: undefined,
      balloon: true,
    });
  });

  it("is a 64-bit pc with 256 MiB on QEMU", () => {
    expect(planSession({ on: "qemu" })).toMatchObject({
      arch: "x86_64",
      machine: "pc",
      memoryBytes: 256 * MIB,
      targets: [32768, 0],
    });
  });

  it.each<[string, SessionOptions]>([
    ["a 64-bit guest on v86", { on: "v86", arch: "x86_64" }],
    ["a machine type on v86", { on: "v86", machine: "q35" }],
    ["a target of all memory", { on: "v86", targets: [{ share: 1 }] }],
    ["a target beyond memory", { on: "qemu", memoryBytes: MIB, targets: [{ pages: 257 }] }],
    ["a workload of all memory", { on: "v86", workloadBytes: 64 * MIB }],
  ])("refuses %s", (_, options) => {
    expect(() => planSession(options)).toThrow(FailureError);
  });

  it("ends in one event when it is refused", async () => {
    const events = [];
    for await (const event of runSession({ on: "v86", arch: "x86_64" })) events.push(event);
    expect(events).toMatchObject([{ type: "failed", kind: "usage", what: "architecture" }]);
  });

  it("rejects with the signal's own reason", async () => {
    const reason = new Error("enough");
    const session = runSession({ on: "v86", signal: AbortSignal.abort(reason) });
    await expect(session.next()).rejects.toBe(reason);
  });
});

describe("failures", () => {
  it("are made of this package's errors, with what, seen and to do", () => {
    const parts = { what: "the thing", seen: "1 of 2", todo: "add one" };
    expect(failureOf(new VmmError({ code: "qemu-not-found", ...parts }))).toEqual({
      kind: "missing",
      ...parts,
    });
    expect(failureOf(new VmmError({ code: "option", ...parts }))?.kind).toBe("usage");
    const awkward = { ...parts, what: "a line: seen twice" };
    const error = new ImageError({ code: "bundle", ...awkward });
    expect(error.message).toBe("a line: seen twice: seen 1 of 2; do add one");
    expect(failureOf(error)).toEqual({ kind: "usage", ...awkward });
  });

  it("are made of the system's errors: the place, and what to name instead", async () => {
    const folder = await readFile(tmpdir()).catch((error: unknown) => failureOf(error));
    expect(folder).toMatchObject({ kind: "missing", what: "a file", seen: /^EISDIR/ });
    const at = (path: string) =>
      failureOf(Object.assign(new Error("EACCES"), { syscall: "mkdir", path, code: "EACCES" }));
    expect(at("/etc/passwd")).toMatchObject({ what: "a file", todo: /can be read and written/ });
    // A cache's folder, or one that leads to it.
    for (const path of [join(cacheFolder(), "images"), dirname(cacheFolder())]) {
      expect(at(path)).toMatchObject({ what: /^the cache/, todo: /XDG_CACHE_HOME/ });
    }
  });

  it("are not made of bugs", () => {
    expect(failureOf(new TypeError("x is not a function"))).toBeUndefined();
    expect(failureOf("text")).toBeUndefined();
  });
});

describe("the queue of events", () => {
  it("delivers all that was pushed, before and while somebody listens, and then ends", async () => {
    const queue = new EventQueue<number>();
    queue.push(1);
    queue.push(2);
    const got: number[] = [];
    const listened = (async () => {
      for await (const event of queue) got.push(event);
    })();
    await Promise.resolve();
    queue.push(3);
    await new Promise(setImmediate);
    expect(got).toEqual([1, 2, 3]);
    queue.push(4);
    queue.close();
    queue.push(5);
    await listened;
    expect(got).toEqual([1, 2, 3, 4]);
  });
});

describe("the guest's status", () => {
  const frames = { reserved: 1, used: 2, free: 3, inflating: 0, held: 4, deflating: 0 };
  const good = {
    ...{ state: "running", transport: "modern PCI", persona: "ballonet", policy: "follow" },
    ...{ deflateMode: "tell-first", offered: "STATS_VQ", negotiated: "none", reservePages: 256 },
    queues: [{ role: "inflateq", index: 0, size: 128 }],
    outOfReach: false,
    totals: { notifications: 7, reported: 512 },
    frames: { ...frames, hinted: 0, reporting: 0 },
  };

  it("is read with the sum of its frames", () => {
    const status = readStatus(good);
    expect(status).toMatchObject({ totals: { notifications: 7 }, frames: { held: 4 } });
    expect(totalFrames(status)).toBe(10);
    expect(status.lastError).toBeUndefined();
  });

  it.each([
    ["no object", null],
    ["a state that is none", { ...good, state: 4 }],
    ["frames missing", { ...good, frames }],
    ["a negative count", { ...good, frames: { ...good.frames, free: -1 } }],
    ["no queues", { ...good, queues: null }],
    ["no count of reports", { ...good, totals: { notifications: 7 } }],
    ["a reach that is no boolean", { ...good, outOfReach: "no" }],
    ["an error without a message", { ...good, lastError: { code: "config" } }],
    ["a queue without a size", { ...good, queues: [{ role: "inflateq", index: 0 }] }],
  ])("is refused with %s", (_, reply) => {
    expect(() => readStatus(reply)).toThrow(/^the guest's status: seen /);
  });
});

describe("the command line for QEMU by hand", () => {
  it("names the image, a balloon and a terminal for the log", () => {
    const words = qemuCommand({ arch: "i386", image: "a.elf" });
    expect(words.slice(0, 5)).toEqual(["qemu-system-i386", "-m", "256M", "-kernel", "a.elf"]);
    expect(words).toContain("virtio-balloon-pci");
    expect(words).toContain("isa-debug-exit,iobase=0x501,iosize=4");
  });

  it("quotes what a shell would take apart", () => {
    expect(shellLine(["a", "b c", "it's", "", "$x"])).toBe("a 'b c' 'it'\\''s' '' '$x'");
  });
});
