/**
 * Every transport against QEMU's own devices: bring-up, a buffer there and back, every
 * interrupt.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BALLOON_CONFIG } from "../../../runtime/balloon/constants.ts";
import { findEcam, openPciConfig } from "../../../runtime/pci/acpi-mcfg.ts";
import { assignPci } from "../../../runtime/pci/assign.ts";
import { portConfigAccess } from "../../../runtime/pci/config.ts";
import { ecamConfigAccess } from "../../../runtime/pci/ecam.ts";
import { enumeratePci, matchPci } from "../../../runtime/pci/enumerate.ts";
import { FEATURE, STATUS } from "../../../runtime/virtio/constants.ts";
import { featureSet, hasFeature } from "../../../runtime/virtio/features.ts";
import { findMmio, MICROVM_FIRST_LINES, microvmSlots } from "../../../runtime/virtio/mmio/find.ts";
import { openMmio } from "../../../runtime/virtio/mmio/mmio.ts";
import { type OpenPciOptions, openPci } from "../../../runtime/virtio/pci/open.ts";
import type { Transport } from "../../../runtime/virtio/transport.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { bringUp, virtioFunction } from "../support/qtest-devices.ts";
import { QtestMachine, type QtestMachineOptions } from "../support/qtest-machine.ts";

/** As QEMU's microvm has them. */
const MICROVM_ECAM = { base: 0xe000_0000, firstBus: 0, lastBus: 255 };
const MICROVM_WINDOWS = { memory: { start: 0xc000_0000, end: 0xe000_0000 } };
const DEVICE_ID_BALLOON = 5;
const PLAIN = featureSet(FEATURE.VERSION_1);

let qemu = "";
let machine: QtestMachine | undefined;

beforeEach((context) => {
  qemu = toolOrSkip(context, findOnPath("qemu-system-x86_64"), "qemu-system-x86_64");
});
afterEach(async () => {
  await machine?.close();
  machine = undefined;
});

function start(args: readonly string[], options: Partial<QtestMachineOptions> = {}): QtestMachine {
  machine = new QtestMachine({ qemu, args, ...options });
  return machine;
}

function open(it: QtestMachine, options: Partial<OpenPciOptions> = {}): Transport {
  const { config, found } = virtioFunction(it);
  return openPci({ hal: it.hal, config, address: found.address, configLength: 8, ...options });
}

/** Inflates three pages, and then `actual` says so. */
function inflate(it: QtestMachine, transport: Transport) {
  const up = bringUp(it, transport, 2, PLAIN);
  const [inflateq] = up.rings;
  inflateq?.post();
  transport.notify(0);
  expect(it.until(() => inflateq?.isUsed === true)).toBe(true);
  transport.writeConfig(BALLOON_CONFIG.actual, 3);
  expect(transport.readConfig(BALLOON_CONFIG.actual)).toBe(3);
  expect(transport.status() & (STATUS.DEVICE_NEEDS_RESET | STATUS.FAILED)).toBe(0);
  return up;
}

const PCI = [
  ["virtio-balloon-pci", "modern", "modern PCI"],
  ["virtio-balloon-pci", "legacy", "legacy PCI"],
  ["virtio-balloon-pci,disable-modern=on", "modern", "legacy PCI"],
  ["virtio-balloon-pci,disable-legacy=on", "legacy", "modern PCI"],
  ["virtio-balloon-pci-non-transitional", "modern", "modern PCI"],
  ["virtio-balloon-pci-transitional,page-per-vq=on", "modern", "modern PCI"],
] as const;

describe.each(["pc", "q35"])("PCI on %s", (name) => {
  it.each(PCI)("%s, %s preferred, is %s", (device, prefer, expected) => {
    const it = start(["-machine", name, "-device", device]);
    const transport = open(it, { prefer });
    expect(transport.name).toContain(expected);
    expect(transport.interruptMode).toEqual({ kind: "polling" });
    const { steps, negotiation } = inflate(it, transport);
    expect(transport.interruptMode).toEqual({ kind: "line" });
    expect(steps.includes("check-features-ok")).toBe(!transport.isLegacy);
    expect(hasFeature(negotiation.negotiated, FEATURE.VERSION_1)).toBe(!transport.isLegacy);
    expect(transport.acknowledgeInterrupt()).toEqual({ queue: true, config: false });
    expect(transport.acknowledgeInterrupt()).toEqual({ queue: false, config: false });
    transport.tearDown();
    expect(transport.status()).toBe(0);
    inflate(it, transport);
  });
});

describe("PCI", () => {
  it("behind a bridge without a number", () => {
    const bridge = ["-device", "pcie-root-port,id=bridge,chassis=1"];
    const it = start(["-machine", "q35", ...bridge, "-device", "virtio-balloon-pci,bus=bridge"]);
    const transport = open(it);
    expect(transport.name).toBe("modern PCI at 01:00.0");
    inflate(it, transport);
  });

  it("through the configuration space that firmware says lies in memory", () => {
    const bridge = ["-device", "pcie-root-port,id=bridge,chassis=1"];
    const devices = [...bridge, "-device", "virtio-balloon-pci,bus=bridge"];
    const it = start(["-machine", "q35", ...devices], { ownFirmware: true });
    const { hal } = it;
    expect(it.until(() => findEcam({ hal }).length > 0)).toBe(true);
    const ports = enumeratePci({ config: portConfigAccess(hal) });
    const config = openPciConfig({ hal });
    expect(config.length).toBe(4096);
    expect(enumeratePci({ config })).toEqual(ports);
    expect(assignPci({ config, windows: {} })).toEqual({ bars: 0, bridges: 0, unplaced: [] });
    const { address } = matchPci(ports, 0x1af4, [0x1045])[0] ?? {};
    if (address === undefined) throw new Error("no balloon");
    inflate(it, openPci({ hal, config, address, configLength: 8 }));
  });

  it("on a microvm, which nobody has set up and which has no ports for it", () => {
    const it = start(["-machine", "microvm,acpi=on,pcie=on", "-device", "virtio-balloon-pci"]);
    const config = ecamConfigAccess(it.hal, [MICROVM_ECAM]);
    const { found } = virtioFunction(it, config, MICROVM_WINDOWS);
    const { hal } = it;
    inflate(it, openPci({ hal, config, address: found.address, configLength: 8 }));
  });

  it("with the line masked when only looked at", () => {
    const it = start(["-machine", "pc", "-device", "virtio-balloon-pci"]);
    const transport = open(it, { interrupts: "polling" });
    inflate(it, transport);
    expect(transport.interruptMode).toEqual({ kind: "polling" });
    expect(transport.acknowledgeInterrupt()).toEqual({ queue: true, config: false });
  });

  it("one queue reset and set up again", () => {
    const it = start(["-machine", "pc", "-device", "virtio-balloon-pci"]);
    const transport = open(it);
    const { rings } = bringUp(it, transport, 2, PLAIN | featureSet(FEATURE.RING_RESET));
    const inflateq = rings[0];
    if (inflateq === undefined) throw new Error("no queue");
    transport.resetQueue(0);
    expect(it.until(() => transport.isQueueReset(0))).toBe(true);
    expect(() => transport.notify(0)).toThrow("not set up");
    it.clear(inflateq.setup.descriptorArea, 0x1_0000);
    transport.setUpQueue(inflateq.setup);
    inflateq.post();
    transport.notify(0);
    expect(it.until(() => inflateq.isUsed)).toBe(true);
  });
});

const MAC = [0x52, 0x54, 0, 0xab, 0xcd, 0xef];
const NET_QUEUES = 2;
const TRANSMITQ = 1;
/** With its header, more than nothing on either interface. */
const FRAME_BYTES = 100;

/** QEMU's balloon may have no MSI-X, so a network device stands in for it. */
describe.each(["modern", "legacy"] as const)("MSI-X of a %s device", (prefer) => {
  const net = (vectors: number) => [
    ...["-machine", "q35", "-device"],
    `virtio-net-pci,disable-legacy=off,vectors=${vectors},mac=52:54:00:ab:cd:ef`,
  ];

  it.each([
    { vectors: 0, messagesMax: 9, messages: 0, config: 0, transmit: 0 },
    { vectors: 3, messagesMax: 0, messages: 0, config: 0, transmit: 0 },
    { vectors: 3, messagesMax: 9, messages: 3, config: 0, transmit: 2 },
    { vectors: 2, messagesMax: 9, messages: 2, config: 0, transmit: 1 },
    { vectors: 3, messagesMax: 2, messages: 2, config: 0, transmit: 1 },
    { vectors: 1, messagesMax: 9, messages: 1, config: 0, transmit: 0 },
  ])("$vectors vectors, $messagesMax messages to be had: $messages in use", (plan) => {
    const it = start(net(plan.vectors), { messagesMax: plan.messagesMax });
    const transport = open(it, { prefer, configLength: 6 });
    expect(transport.isLegacy).toBe(prefer === "legacy");
    const { rings } = bringUp(it, transport, NET_QUEUES, PLAIN | featureSet(5));
    const mode = transport.interruptMode;
    if (plan.messages === 0) expect(mode).toEqual({ kind: "line" });
    else expect(mode).toMatchObject({ kind: "msix", messages: plan.messages, config: plan.config });
    expect(MAC.map((_, offset) => transport.readConfig({ offset, width: 1 }))).toEqual(MAC);

    rings[TRANSMITQ]?.post(FRAME_BYTES);
    transport.notify(TRANSMITQ);
    expect(it.until(() => rings[TRANSMITQ]?.isUsed === true)).toBe(true);
    expect(it.arrived()).toEqual(plan.messages === 0 ? [] : [plan.transmit]);
    const messages = plan.messages === 0 ? undefined : 1 << plan.transmit;
    const config = plan.messages === 1;
    expect(transport.acknowledgeInterrupt(messages)).toEqual({ queue: true, config });

    transport.reset();
    expect(transport.interruptMode).toEqual({ kind: "polling" });
    expect(MAC.map((_, offset) => transport.readConfig({ offset, width: 1 }))).toEqual(MAC);
  });
});

describe("MMIO on microvm", () => {
  const args = (...rest: string[]) => ["-machine", "microvm", ...rest];
  const balloon = ["-device", "virtio-rng-device", "-device", "virtio-balloon-device"];

  it.each([
    ["legacy", [], "legacy MMIO"],
    ["modern", ["-global", "virtio-mmio.force-legacy=false"], "MMIO"],
  ] as const)("%s", (_, extra, expected) => {
    const it = start(args(...extra, ...balloon));
    const found = findMmio(it.hal, microvmSlots(MICROVM_FIRST_LINES.plain), DEVICE_ID_BALLOON);
    expect(found).toHaveLength(1);
    const [slot] = found;
    if (slot === undefined) return;
    const transport = openMmio({ hal: it.hal, slot, configLength: 8 });
    expect(transport.name).toBe(`${expected} at 0x${slot.base.toString(16)}`);
    expect(transport.numQueues()).toBe(3);
    inflate(it, transport);
    expect(transport.interruptMode).toEqual({ kind: "line" });
    expect(transport.acknowledgeInterrupt()).toEqual({ queue: true, config: false });
    expect(transport.acknowledgeInterrupt()).toEqual({ queue: false, config: false });
    transport.tearDown();
    inflate(it, transport);
  });
});
