/** What waits for v86 has a bound: here is a v86 that never answers, and a clock of the test's. */
import type { V86 } from "v86";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { V86Balloon } from "../../../src/vmm/v86/balloon.ts";
import type { V86BalloonDevice } from "../../../src/vmm/v86/internals.ts";
import { V86Vmm } from "../../../src/vmm/v86/v86.ts";

const LIMIT_MS = 10_000;
const memoryBytes = 2 ** 25;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Rejects at the very end of its time, and not before. */
async function endsAfter(wait: Promise<unknown>, seen: string): Promise<void> {
  let ended: unknown;
  wait.catch((error: unknown) => {
    ended = error;
  });
  await vi.advanceTimersByTimeAsync(LIMIT_MS - 1);
  expect(ended).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  expect(ended).toMatchObject({ code: "timeout", message: expect.stringContaining(seen) });
}

it("a hint that the guest never ends is given up", async () => {
  const asked = vi.fn();
  const virtio = { device_status: 15, driver_feature: Uint32Array.of(1 << 3, 0, 0, 0) };
  const balloon = new V86Balloon({
    device: () => ({ virtio, Cleanup: asked }) as unknown as V86BalloonDevice,
    memoryBytes,
    describeLog: () => "a guest that says nothing",
    onEnd: () => () => {},
  });
  await endsAfter(balloon.hint(), "a guest that says nothing");
  expect(asked).toHaveBeenCalledOnce();
});

it("a machine that does not stop is given up", async () => {
  const stop = vi.fn(() => new Promise<void>(() => {}));
  const loop = { running: true, next_tick: () => {} };
  const emulator = { stop, v86: loop, add_listener: () => {}, serial_send_bytes: () => {} };
  const vmm = new V86Vmm({
    emulator: emulator as unknown as V86,
    engine: {} as never,
    segments: [],
    memoryBytes,
    hasBalloon: true,
    plug: undefined,
    control: "com2",
  });
  await endsAfter(vmm.pause(), "v86 to stop");
  expect(stop).toHaveBeenCalledOnce();
});
