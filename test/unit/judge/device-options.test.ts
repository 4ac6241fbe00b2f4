/** The device of a scenario: the caller's choice, and what the scenario asks for. */
import { expect, it } from "vitest";
import { FEATURE_NAMES, parseFeatures } from "../../../src/cli/offer-option.ts";
import { deviceOptions, settingsOf } from "../../../src/judge/device-options.ts";

it("offers what the scenario asks for, unless the caller has chosen otherwise", () => {
  const choice = { profile: "qemu", offer: { freePageHint: false } } as const;
  const own = { offer: { freePageHint: true, pagePoison: true }, staleActual: 7 };
  expect(deviceOptions(choice, own)).toEqual({
    profile: "qemu",
    staleActual: 7,
    offer: { freePageHint: false, pagePoison: true },
  });
});

it("is told in a report as it is typed, in an order of its own", () => {
  for (const name of FEATURE_NAMES) {
    expect(settingsOf({ offer: parseFeatures(`-${name}`) })).toEqual({ features: `-${name}` });
  }
  expect(settingsOf({ profile: "qemu", transport: "mmio", vectors: 0, waive: [] })).toEqual({});
  const offer = { statsVq: true, packed: false, extra: [50, 51] };
  const choice = { offer, vectors: 3, ringSize: 16, waive: ["Q-ORDER", "D7"] } as const;
  expect(settingsOf({ ...choice, hostDesign: "locked", hostVersion: "1.0" })).toEqual({
    ...{ features: "-packed,stats-vq", extraFeatures: "50,51", vectors: "3", waive: "D7,Q-ORDER" },
    ...{ ringSize: "16", hostDesign: "locked", hostVersion: "1.0" },
  });
});
