/** The device's numbers are the specification's. Compared whole, so that none is missed. */
import { describe, expect, it } from "vitest";
import * as device from "../../../../src/device/spec/numbers.ts";
import * as spec from "../../../support/spec-numbers.ts";

describe("the device's constants", () => {
  it.each([
    ["ids", device.ID, spec.SPEC_ID],
    ["feature bits", device.FEATURE, spec.SPEC_FEATURE],
    ["status bits", device.STATUS, spec.SPEC_STATUS],
    ["configuration offsets", device.CONFIG, spec.SPEC_CONFIG],
    ["hint commands", device.HINT, spec.SPEC_HINT],
    ["queues", device.QUEUE, spec.SPEC_QUEUE],
    ["statistic tags", device.STAT, spec.SPEC_STAT],
    ["capability types", device.CAP, spec.SPEC_CAP],
    ["common configuration", device.COMMON, spec.SPEC_COMMON],
    ["legacy header", device.LEGACY, spec.SPEC_LEGACY],
    ["legacy configuration", device.LEGACY_CONFIG, spec.SPEC_LEGACY_CONFIG],
    ["MSI-X", device.MSIX, spec.SPEC_MSIX],
    ["MMIO registers", device.MMIO, spec.SPEC_MMIO],
    ["MMIO versions", device.MMIO_VERSION, spec.SPEC_MMIO_VERSION],
    ["ISR bits", device.ISR, spec.SPEC_ISR],
    ["packed rings", device.PACKED, spec.SPEC_PACKED],
    ["descriptor flags", device.DESC, spec.SPEC_DESC],
  ])("%s", (_what, ours, table) => {
    expect(ours).toEqual(table);
  });

  it("sizes and alignments", () => {
    expect(device.RING).toMatchObject(spec.SPEC_RING);
    expect(device.STAT_BYTES).toBe(spec.SPEC_STAT_BYTES);
    expect(device.PAGE_BYTES).toBe(spec.SPEC_PAGE_BYTES);
    expect(2 ** device.PAGE_SHIFT).toBe(spec.SPEC_PAGE_BYTES);
    expect(device.MMIO_MAGIC).toBe(spec.SPEC_MMIO_MAGIC);
    expect(device.NO_VECTOR).toBe(spec.SPEC_NO_VECTOR);
  });
});
