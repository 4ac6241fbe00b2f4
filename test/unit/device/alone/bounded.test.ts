/** The judge's own memory stays small, however much a driver does. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { createMachine } from "../../../../src/device/index.ts";
import { FIRST_FRAME, frames, RawDriver } from "../drivers/raw-driver.ts";

const PAGES = 30_000;
const BUFFER = 250;
const MIB = 2 ** 20;

/** Bytes of this process that are in use, garbage apart. */
function used(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

it("30,000 pages inflated, used in silence and deflated cost less than 64 MiB", () => {
  const initial = Math.ceil(((FIRST_FRAME + PAGES) * 4096) / 65536);
  const memory = new WebAssembly.Memory({ initial });
  const machine = createMachine({ memory, offer: { mustTellHost: false } });
  const driver = new RawDriver(machine, memory).bringUp();
  machine.setTarget(PAGES);
  driver.readTarget();
  const before = used();
  for (let first = 0; first < PAGES; first += BUFFER) {
    driver.move("inflate", frames(BUFFER, FIRST_FRAME + first));
  }
  driver.writeActual(PAGES);
  for (const pfn of frames(PAGES)) driver.view.setUint32(pfn * 4096, pfn, true);
  machine.check();
  machine.check();
  machine.setTarget(0);
  driver.readTarget();
  for (let first = 0; first < PAGES; first += BUFFER) {
    driver.move("deflate", frames(BUFFER, FIRST_FRAME + first).reverse());
  }
  expect(machine.broken("D9")).toBe(2 * PAGES);
  expect(machine.broken("Q-ORDER")).toBe(PAGES / BUFFER);
  expect(machine.summary().find(({ rule }) => rule === "D9")?.pages).toEqual({
    count: PAGES,
    ranges: `${FIRST_FRAME} to ${FIRST_FRAME + PAGES - 1}`,
  });
  expect(machine.verdicts.length).toBeLessThan(100);
  expect(used() - before).toBeLessThan(64 * MIB);
  expect(machine.trace.entries().length).toBeLessThanOrEqual(4096);
});
