/** The device of a scenario: the caller's choice, and what the scenario asks for. */
import { expect, it } from "vitest";
import { deviceOptions } from "../../../src/judge/device-options.ts";

it("offers what the scenario asks for, unless the caller has chosen otherwise", () => {
  const choice = { profile: "qemu", offer: { freePageHint: false } } as const;
  const own = { offer: { freePageHint: true, pagePoison: true }, staleActual: 7 };
  expect(deviceOptions(choice, own)).toEqual({
    profile: "qemu",
    staleActual: 7,
    offer: { freePageHint: false, pagePoison: true },
  });
});
