/**
 * The interface from before virtio 1.0, alone and beside the modern one. What a device has to put
 * up with from old drivers is asserted, as well as what it judges.
 */
import { describe, expect, it } from "vitest";
import { type ProfileName, profiles } from "../../../../src/device/index.ts";
import { legacyRig } from "../drivers/legacy-driver.ts";
import { broken, frames, type RawDriver, rig } from "../drivers/raw-driver.ts";
import { RawMsix } from "../drivers/raw-msix.ts";

const HEADER = 0xc000;
const STATUS = 0x12;

/** Both interfaces in one device, the driver on the modern one. */
const transitional = (): RawDriver => rig({ transport: "transitional" });

const headerRead = ({ machine }: RawDriver, offset: number, width: 1 | 2 | 4): number =>
  machine.hal.portRead(HEADER + offset, width);

const headerWrite = (
  { machine }: RawDriver,
  offset: number,
  width: 1 | 2 | 4,
  value: number,
): void => machine.hal.portWrite(HEADER + offset, width, value);

describe("a legacy device", () => {
  it("has the ids of its time, and no capabilities", () => {
    const driver = legacyRig();
    driver.discover();
    expect(driver.configRead(0)).toBe(0x1002_1af4);
    expect(driver.configRead(8, 1)).toBe(0);
    expect(driver.configRead(0x2e, 2)).toBe(5);
    expect(driver.configRead(6, 2) & 0x10).toBe(0);
    expect(driver.configRead(0x34, 1)).toBe(0);
  });

  it("offers 32 bits, ANY_LAYOUT among them", () => {
    const driver = legacyRig({ offer: { packed: true, ringReset: true } });
    driver.discover();
    expect(driver.readOffer()).toBe((1n << 27n) | (1n << 28n) | (1n << 29n) | 7n);
  });

  it.each(Object.keys(profiles) as ProfileName[])("%s inflates and deflates", (profile) => {
    const driver = legacyRig({ profile }).bringUp();
    driver.machine.setTarget(2);
    expect(driver.readTarget()).toBe(2);
    expect(broken(driver.machine)).toEqual([]);
    driver.move("inflate", frames(2));
    if (profiles[profile].balloon.returns === "never") return;
    expect(driver.machine.heldPages).toBe(2);
    driver.machine.setTarget(1);
    driver.move("deflate", frames(1));
    expect(driver.machine.heldPages).toBe(1);
    expect(broken(driver.machine)).toEqual([]);
  });

  it("raises its line, and lowers it when the ISR status is read", () => {
    const driver = legacyRig().bringUp();
    driver.interrupt();
    driver.machine.setTarget(2);
    expect(driver.machine.interruptPending).toBe(true);
    expect(driver.interrupt()).toBe(2);
    expect(driver.machine.interruptPending).toBe(false);
  });

  it("has its queues in one piece, the device area on a page of its own", () => {
    const driver = legacyRig().bringUp();
    const { desc, device } = driver.ring(0);
    expect(device - desc).toBe(4096);
    driver.set("queueSelect", 0);
    expect(driver.get("desc")).toBe(desc / 4096);
    driver.set("queueSelect", 7);
    expect([driver.get("desc"), driver.get("queueSize")]).toEqual([0, 0]);
  });

  it("takes the configuration by any width, and actual as a whole", () => {
    const driver = legacyRig().bringUp();
    driver.machine.setTarget(0x0102);
    expect([0, 1, 2].map((at) => driver.read(4, at, 1))).toEqual([2, 1, 0]);
    expect(driver.read(4, 0, 2)).toBe(0x0102);
    expect(broken(driver.machine)).toEqual([]);
    driver.move("inflate", frames(129));
    driver.move("inflate", frames(129, 600));
    expect(driver.machine.actual).toBe(0x0102);
    driver.write(4, 5, 1, 0);
    expect(driver.machine.actual).toBe(2);
    expect(broken(driver.machine)).toContain("D17");
  });

  it("takes what old drivers did before they were through, and judges it", () => {
    const driver = legacyRig();
    driver.discover();
    driver.reset();
    driver.set("status", 1);
    driver.writeActual(0);
    driver.set("status", 3);
    driver.accept(driver.readOffer() & driver.knows);
    driver.setUpQueues();
    driver.postStats();
    expect(driver.machine.stats.samples).toBe(1);
    expect(broken(driver.machine)).toEqual(["G-NOTIFY-EARLY"]);
  });

  it("has its features settled by their first use", () => {
    const driver = legacyRig().bringUp();
    const before = driver.machine.negotiated;
    driver.set("features", 0);
    expect(driver.machine.negotiated).toBe(before);
    expect(broken(driver.machine)).toEqual(["G-FEATURES-LATE"]);
  });

  it("does not take features that it has not offered", () => {
    const driver = legacyRig();
    driver.discover();
    driver.reset();
    driver.negotiate([], [5]);
    driver.setUpQueues();
    expect(driver.machine.negotiated & (1n << 5n)).toBe(0n);
    expect(broken(driver.machine)).toEqual(["G-UNOFFERED"]);
  });

  it("puts up with pages that are used before it is told (5.5.3.2.0.1)", () => {
    const driver = legacyRig({ waive: ["D1"] }).bringUp([0]);
    driver.machine.setTarget(2);
    driver.move("inflate", frames(2));
    driver.machine.setTarget(0);
    driver.view.setUint32((frames(1)[0] as number) * 4096, 1, true);
    driver.move("deflate", frames(2));
    expect(driver.machine.heldPages).toBe(0);
    expect(driver.machine.check()).toEqual([]);
  });

  it("takes a queue out of use when its page number becomes 0, and judges it", () => {
    const driver = legacyRig().bringUp();
    driver.set("queueSelect", 0);
    driver.set("desc", 0);
    expect(driver.get("desc")).toBe(0);
    driver.post(0, frames(1));
    driver.kick(0);
    expect(driver.collect(0)).toEqual([]);
    expect(broken(driver.machine)).toEqual(["L-QUEUE-MOVED", "P-NOTIFY-QUEUE"]);
  });

  it("moves its configuration when MSI-X is switched on, and back", () => {
    const driver = legacyRig({ vectors: 2 }).bringUp();
    driver.machine.setTarget(77);
    driver.interrupt();
    const msix = new RawMsix(driver);
    expect(driver.read(1, 20, 4)).toBe(77);
    msix.setUp(2);
    expect(driver.read(1, 24, 4)).toBe(77);
    expect([msix.map("config", 0), msix.map(0, 1), msix.map(7, 1)]).toEqual([0, 1, 0xffff]);
    msix.disable();
    expect(driver.read(1, 20, 4)).toBe(77);
    expect(broken(driver.machine)).toEqual(["P-QUEUE-ABSENT"]);
  });
});

describe("a transitional device", () => {
  it("has the ids of a legacy one and the capabilities of a modern one", () => {
    const driver = transitional().bringUp();
    expect(driver.configRead(0)).toBe(0x1002_1af4);
    expect([driver.configRead(8, 1), driver.configRead(0x2e, 2)]).toEqual([0, 5]);
    driver.move("inflate", frames(1));
    expect(driver.machine.heldPages).toBe(1);
    expect(driver.machine.check({ memoryShort: true })).toEqual([]);
  });

  it("shows both views until one was written to", () => {
    const driver = transitional();
    driver.discover();
    expect(headerRead(driver, 0, 4) & 0x0800_0000).toBe(0x0800_0000);
    expect((driver.readOffer() >> 32n) & 1n).toBe(1n);
    expect(driver.readOffer() & 0x0800_0000n).toBe(0n);
    expect(driver.machine.verdicts).toEqual([]);
    expect(headerRead(driver, 0, 4)).toBe(0xffff_ffff);
    expect(broken(driver.machine)).toEqual(["P-MIXED"]);
  });

  it("gives ones and takes nothing by the interface that is not used", () => {
    const driver = transitional().bringUp();
    expect(headerRead(driver, STATUS, 1)).toBe(0xff);
    headerWrite(driver, STATUS, 1, 0x80);
    expect(driver.get("status")).toBe(15);
    expect(driver.machine.broken("P-MIXED")).toBe(2);
    expect(broken(driver.machine)).toEqual(["P-MIXED"]);
  });

  it("changes over with a reset, whichever interface it comes by", () => {
    const driver = transitional().bringUp();
    headerWrite(driver, STATUS, 1, 0);
    expect(headerRead(driver, STATUS, 1)).toBe(0);
    headerWrite(driver, STATUS, 1, 1);
    expect(driver.machine.status).toBe(1);
    expect(driver.machine.verdicts).toEqual([]);
    driver.bringUp();
    driver.move("inflate", frames(1));
    expect(driver.machine.heldPages).toBe(1);
    expect(driver.machine.verdicts).toEqual([]);
  });

  it.each(["v86", "firecracker"] as const)("cannot be %s, whose BAR 0 is taken", (profile) => {
    expect(() => rig({ profile, transport: "transitional" })).toThrow(/BARs of .* have no room/);
  });
});
