/** Queues that are not to interrupt: what the core leaves in the driver area of each kind of ring. */
import { expect, it } from "vitest";
import { HINTQ, RING_FEATURE } from "../../../runtime/core/exports.ts";
import { instantiateCore } from "../../support/core-instance.ts";

const ARENA_PTR = 0x1_0000;
const SIZE = 8;
const { packed, eventIndex, quiet } = RING_FEATURE;

/** The driver area, in words, before and after each of some requests for an interrupt. */
function driverAreas(features: number): number[][] {
  const memory = new WebAssembly.Memory({ initial: 4 });
  const core = instantiateCore(memory);
  core.arena_open(ARENA_PTR, 100, SIZE, 4, 16);
  core.ledger_add(0, 100);
  core.queue_open(HINTQ, SIZE, features, 4);
  const words = (features & packed) !== 0 ? 2 : 3 + SIZE;
  const look = () => [...new Uint16Array(memory.buffer, core.queue_driver_area(HINTQ), words)];
  const areas = [look()];
  for (const after of [0, 3]) {
    core.queue_arm(HINTQ, after);
    areas.push(look());
  }
  return areas;
}

const FLAGS = 0;
const USED_EVENT = 2 + SIZE;
const EVENT_FLAGS = 1;

it("a split ring says so by its flags, once and for all (virtio 1.3, 2.7.6)", () => {
  expect(driverAreas(quiet).map((area) => area[FLAGS])).toEqual([1, 1, 1]);
  expect(driverAreas(0).map((area) => area[FLAGS])).toEqual([0, 0, 0]);
});

it("with EVENT_IDX its flags are 0, and the event is as far away as can be", () => {
  const areas = driverAreas(quiet | eventIndex);
  expect(areas.map((area) => area[FLAGS])).toEqual([0, 0, 0]);
  expect(areas.map((area) => area[USED_EVENT]).slice(1)).toEqual([0x8000, 0x8000]);
  const loud = driverAreas(eventIndex);
  expect(loud.map((area) => area[USED_EVENT]).slice(1)).toEqual([0, 3]);
});

it.each([0, eventIndex])("a packed ring disables its events (virtio 1.3, 2.8.10): %s", (more) => {
  const areas = driverAreas(quiet | packed | more);
  expect(areas.map((area) => area[EVENT_FLAGS])).toEqual([1, 1, 1]);
  expect(driverAreas(packed | more)[2]?.[EVENT_FLAGS]).toBe(more === 0 ? 0 : 2);
});
