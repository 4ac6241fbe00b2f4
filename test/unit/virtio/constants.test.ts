/** The driver's numbers are the specification's. Compared whole, so that none is missed. */
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as balloon from "../../../runtime/balloon/constants.ts";
import { FRAME_BYTES } from "../../../runtime/core/frames.ts";
import * as virtio from "../../../runtime/virtio/constants.ts";
import * as spec from "../../support/spec-numbers.ts";

const driver = { ...virtio, ...balloon };

/** "QUEUE_NOTIFY_OFF" and "queueNotifyOff" are the same name. */
function plainName(name: string): string {
  return name.replaceAll("_", "").toLowerCase();
}

/** The entries of the specification's table that the driver has too, under the driver's names. */
function ofSpec(
  ours: Readonly<Record<string, unknown>>,
  table: Readonly<Record<string, number>>,
  names: Readonly<Record<string, string>> = {},
): Record<string, number | undefined> {
  const byName = new Map(Object.entries(table).map(([name, n]) => [plainName(name), n]));
  return Object.fromEntries(
    Object.keys(ours).map((name) => [name, byName.get(plainName(names[name] ?? name))]),
  );
}

function offsets(fields: Readonly<Record<string, virtio.Field>>): Record<string, number> {
  return Object.fromEntries(Object.entries(fields).map(([name, { offset }]) => [name, offset]));
}

/** Bits that the third table does not have: the driver only names them, to count or to print. */
const NAMED_ONLY = ["SR_IOV", "ADMIN_VQ"];

/** Tags after those of 5.5.6.4, as Linux 6.12's virtio_balloon.h numbers them. */
const TAGS_BEYOND: Readonly<Record<string, number>> = {
  OOM_KILL: 10,
  ALLOC_STALL: 11,
  ASYNC_SCAN: 12,
  DIRECT_SCAN: 13,
  ASYNC_RECLAIM: 14,
  DIRECT_RECLAIM: 15,
};

describe("the driver's constants", () => {
  it("ids", () => {
    expect(driver.VIRTIO_PCI_VENDOR).toBe(spec.SPEC_ID.vendor);
    expect(driver.DEVICE_ID_BALLOON).toBe(spec.SPEC_ID.balloon);
    const { balloonModern, balloonTransitional } = spec.SPEC_ID;
    expect([...driver.BALLOON_PCI_IDS]).toEqual([balloonModern, balloonTransitional]);
  });

  it("feature bits of the balloon and of rings", () => {
    const rings = Object.fromEntries(
      Object.entries(driver.FEATURE).filter(([name]) => !NAMED_ONLY.includes(name)),
    );
    const { BALLOON_FEATURE } = driver;
    expect(BALLOON_FEATURE).toEqual(ofSpec(BALLOON_FEATURE, spec.SPEC_FEATURE));
    const names = {
      INDIRECT_DESC: "ringIndirectDesc",
      EVENT_IDX: "ringEventIdx",
    };
    expect(rings).toEqual(ofSpec(rings, spec.SPEC_FEATURE, names));
    const known = Object.keys(BALLOON_FEATURE).length + Object.keys(rings).length;
    expect(known).toBe(Object.keys(spec.SPEC_FEATURE).length);
  });

  it("status bits", () => {
    const names = { DEVICE_NEEDS_RESET: "needsReset" };
    expect(driver.STATUS).toEqual(ofSpec(driver.STATUS, spec.SPEC_STATUS, names));
    expect(Object.keys(driver.STATUS)).toHaveLength(Object.keys(spec.SPEC_STATUS).length);
  });

  it("device configuration", () => {
    expect(offsets(driver.BALLOON_CONFIG)).toEqual({ ...spec.SPEC_CONFIG });
    const widths = Object.values(driver.BALLOON_CONFIG).map(({ width }) => width);
    expect(widths).toEqual([4, 4, 4, 4]);
    expect(driver.BALLOON_CONFIG_LENGTH).toBe(spec.SPEC_CONFIG.freePageHintCmdId);
  });

  it("the common configuration: offsets, and widths that reach the next field", () => {
    const { COMMON } = driver;
    const names: Record<string, string> = {};
    for (const area of ["Desc", "Driver", "Device"]) names[`queue${area}Low`] = `queue${area}`;
    const ours = Object.entries(offsets(COMMON));
    const low = Object.fromEntries(ours.filter(([name]) => !name.endsWith("High")));
    expect(low).toEqual(ofSpec(low, spec.SPEC_COMMON, names));
    expect(Object.keys(low)).toHaveLength(Object.keys(spec.SPEC_COMMON).length);
    const fields: virtio.Field[] = Object.values(COMMON);
    const sorted = fields.sort((a, b) => a.offset - b.offset);
    const ends = sorted.map(({ offset, width }) => offset + width);
    const starts = sorted.slice(1).map(({ offset }) => offset);
    expect(ends.slice(0, -1)).toEqual(starts);
    expect(ends).toContain(driver.COMMON_LENGTH);
  });

  it("legacy header", () => {
    expect(offsets(driver.LEGACY)).toEqual(spec.SPEC_LEGACY);
    const { plain, msix } = spec.SPEC_LEGACY_CONFIG;
    expect(driver.LEGACY_CONFIG).toEqual({ withoutMsix: plain, withMsix: msix });
  });

  it("registers over MMIO: all but those of shared memory, all of 32 bits", () => {
    const { MMIO, MMIO_CONFIG, MMIO_MAGIC, MMIO_VERSION } = driver;
    const { config, shmSel, shmLen, shmBase, ...spoken } = spec.SPEC_MMIO;
    const halves = { queueDescLow: "queueDesc", queueDriverLow: "queueDriver" };
    const names = { ...halves, queueDeviceLow: "queueDevice" };
    const ours = Object.entries(offsets(MMIO));
    const low = Object.fromEntries(ours.filter(([name]) => !name.endsWith("High")));
    expect(low).toEqual(ofSpec(low, spoken, names));
    expect(Object.keys(low)).toHaveLength(Object.keys(spoken).length);
    for (const area of ["Desc", "Driver", "Device"] as const) {
      expect(MMIO[`queue${area}High`].offset).toBe(spoken[`queue${area}`] + 4);
    }
    expect(new Set(Object.values(MMIO).map(({ width }) => width))).toEqual(new Set([4]));
    expect(MMIO_CONFIG).toBe(config);
    expect(MMIO_MAGIC).toBe(spec.SPEC_MMIO_MAGIC);
    expect(MMIO_VERSION).toEqual(spec.SPEC_MMIO_VERSION);
  });

  it("capability types, ISR bits and statistics", () => {
    const cap = { COMMON: "commonCfg", NOTIFY: "notifyCfg", ISR: "isrCfg", DEVICE: "deviceCfg" };
    const more = { PCI: "pciCfg", SHARED_MEMORY: "sharedMemoryCfg", VENDOR: "vendorCfg" };
    const { CFG_TYPE, ISR, STAT } = driver;
    expect(CFG_TYPE).toEqual(ofSpec(CFG_TYPE, spec.SPEC_CAP, { ...cap, ...more }));
    expect(ISR).toEqual(ofSpec(ISR, spec.SPEC_ISR));
    const faults = { MAJFLT: "majorFaults", MINFLT: "minorFaults" };
    const memory = { MEMFREE: "memoryFree", MEMTOT: "memoryTotal", AVAIL: "available" };
    const huge = { HTLB_PGALLOC: "hugePagesAllocated", HTLB_PGFAIL: "hugePagesFailed" };
    const tags: [string, number][] = Object.entries(STAT);
    for (const [name, tag] of tags.slice(10)) expect(tag).toBe(TAGS_BEYOND[name]);
    const described = Object.fromEntries(tags.slice(0, 10));
    const names = { ...faults, ...memory, ...huge };
    expect(described).toEqual(ofSpec(described, spec.SPEC_STAT, names));
    expect(Object.keys(described)).toHaveLength(Object.keys(spec.SPEC_STAT).length);
    expect(driver.STAT_LENGTH).toBe(spec.SPEC_STAT_BYTES);
    expect(FRAME_BYTES).toBe(spec.SPEC_PAGE_BYTES);
  });

  it("are compared on the device's side too", () => {
    const other = new URL("../device/spec/numbers.test.ts", import.meta.url);
    expect(existsSync(other)).toBe(true);
  });
});
