/** How the judge waits for a guest in v86, on a machine that is made up. */
import { beforeEach, expect, it, vi } from "vitest";
import { createDevice } from "../../../../src/device/index.ts";
import { ClockSteps, Waiting } from "../../../../src/judge/v86/waiting.ts";

const LOOK_MS = 2;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
  return () => vi.useRealTimers();
});

function machine() {
  const memory = new WebAssembly.Memory({ initial: 16 });
  const device = createDevice({ memory });
  const board = { isHalted: true, runs: true, skip: () => board.isHalted && board.runs };
  const access = () => device.pci.config.read(0, 4);
  return { device, board, access };
}

it("takes steps that grow, until the driver turns to its device", () => {
  const { device, board, access } = machine();
  const steps = new ClockSteps(board);
  const take = (count: number) => Array.from({ length: count }, () => steps.take(device, 1000));
  expect(take(6)).toEqual([10, 20, 40, 80, 80, 80]);
  expect(device.nowMs).toBe(310);
  access();
  expect(take(2)).toEqual([10, 20]);
  expect(steps.take(device, 5)).toBe(5);
  expect(steps.take(device, 0)).toBe(0);
});

it("takes no step where the guest works, or has not run since the last one", () => {
  const { device, board } = machine();
  const steps = new ClockSteps(board);
  board.runs = false;
  expect(steps.take(device, 1000)).toBe(0);
  board.runs = true;
  board.isHalted = false;
  expect(steps.take(device, 1000)).toBe(0);
  expect(device.nowMs).toBe(0);
});

it("counts a step as waiting when the guest has let its device be after it", () => {
  const { device, board, access } = machine();
  const waiting = new Waiting(board);
  const look = () => {
    vi.advanceTimersByTime(LOOK_MS);
    waiting.look(device);
    return waiting.quietMs;
  };
  look();
  waiting.hasten(device, 1000);
  expect(look()).toBe(LOOK_MS);
  waiting.hasten(device, 1000);
  expect(look()).toBe(2 * LOOK_MS + 10);
  access();
  expect(look()).toBe(0);
  board.isHalted = false;
  expect(look()).toBe(0);
});

it("takes a stall of the host for a few milliseconds of waiting", () => {
  const { device, board } = machine();
  const waiting = new Waiting(board);
  vi.advanceTimersByTime(LOOK_MS);
  waiting.look(device);
  const before = waiting.quietMs;
  vi.advanceTimersByTime(5000);
  waiting.look(device);
  expect(waiting.quietMs - before).toBe(10);
});

it("sees a driver that tries in vain by its accesses, or by how long it waits between them", () => {
  const { device, board, access } = machine();
  const waiting = new Waiting(board);
  const halting = new Waiting({ isHalted: true, skip: () => false });
  board.isHalted = false;
  const look = () => {
    access();
    vi.advanceTimersByTime(8);
    waiting.look(device);
    halting.look(device);
  };
  for (let n = 0; n < 191; n += 1) look();
  expect([waiting.isInVain, halting.isInVain]).toEqual([false, true]);
  for (let n = 0; n < 12; n += 1) look();
  expect(waiting.isInVain).toBe(true);
});
