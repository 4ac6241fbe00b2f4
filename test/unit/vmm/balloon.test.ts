/** Targets, as pages and as bytes. */
import { expect, test } from "vitest";
import { targetPages } from "../../../src/vmm/balloon.ts";

const MIB = 1024 * 1024;

test("targets are pages in the balloon, from none to all but one", () => {
  const memoryBytes = 32 * MIB;
  const pages = (target: { pages: number } | { guestBytes: number }) =>
    targetPages({ target, memoryBytes });
  expect(pages({ guestBytes: 16 * MIB })).toBe(4096);
  expect(pages({ guestBytes: memoryBytes })).toBe(0);
  expect(pages({ pages: 8191 })).toBe(8191);
  for (const bad of [
    { pages: 8192 },
    { pages: -1 },
    { pages: 0.5 },
    { guestBytes: 0 },
    { guestBytes: 33 * MIB },
  ]) {
    expect(() => pages(bad)).toThrow(expect.objectContaining({ code: "option" }));
  }
});
