/**
 * A ledger of 1 TiB: more blocks than three levels of a summary hold, and nearly none of it free.
 */
import { expect, it } from "vitest";
import { instantiateCore } from "../../support/core-instance.ts";

const FRAMES = 2 ** 28;
const ARENA_PTR = 0x1_0000;
const LAST_BLOCK = FRAMES - 512;
/** The first block that a summary of three levels could not name. */
const FOURTH_LEVEL = 64 ** 3 * 512;

it("finds what little is free, wherever it lies", () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const core = instantiateCore(memory);
  const bytes = core.arena_bytes(FRAMES, 8, 2, 256) >>> 0;
  memory.grow(Math.ceil((ARENA_PTR + bytes) / 65_536));
  core.arena_open(ARENA_PTR, FRAMES, 8, 2, 256);
  core.queue_open(0, 8, 0, 4);
  core.ledger_add(LAST_BLOCK, 512);
  core.ledger_add(FOURTH_LEVEL + 5, 3);
  expect(core.ledger_count(2)).toBe(515);

  // The whole block goes first, then the piece below it.
  expect(core.balloon_inflate(512)).toBe(512);
  expect(core.ledger_uniform(LAST_BLOCK, 512, 3)).toBe(1);
  expect([core.ledger_allocate(9), core.ledger_run()]).toEqual([FOURTH_LEVEL + 5, 3]);
  expect(core.ledger_allocate(9) >>> 0).toBe(0xffff_ffff);

  core.ledger_reclaim();
  expect(core.ledger_allocate(1)).toBe(LAST_BLOCK);
  core.ledger_release(FOURTH_LEVEL + 6, 1);
  expect(core.ledger_allocate(1)).toBe(FOURTH_LEVEL + 6);
  expect(core.ledger_count(0) + core.ledger_count(1) + core.ledger_count(2)).toBe(FRAMES);
});
