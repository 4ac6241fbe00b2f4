/**
 * What the tests of transports on real devices share: functions with addresses, rings of one
 * buffer.
 *
 * A ring is zeroed before a device is told of it.
 */
import type { AddressWindows } from "../../../runtime/pci/address-windows.ts";
import { assignPci } from "../../../runtime/pci/assign.ts";
import { type PciConfigAccess, portConfigAccess } from "../../../runtime/pci/config.ts";
import { enumeratePci, type PciFunction } from "../../../runtime/pci/enumerate.ts";
import { BringUp, type BringUpStep, type Negotiation } from "../../../runtime/virtio/bring-up.ts";
import { VIRTIO_PCI_VENDOR } from "../../../runtime/virtio/constants.ts";
import type { FeatureSet } from "../../../runtime/virtio/features.ts";
import type { QueueSetup, Transport } from "../../../runtime/virtio/transport.ts";
import type { QtestMachine } from "./qtest-machine.ts";

/** What the host bridges of `pc` and `q35` pass on. */
const PC_WINDOWS = {
  io: { start: 0xc000, end: 0x1_0000 },
  memory: { start: 0xe000_0000, end: 0xfe00_0000 },
  memoryHigh: { start: 0x80_0000_0000, end: 0x81_0000_0000 },
};

/** The first virtio function, with addresses for it and all others. */
export function virtioFunction(
  { hal }: QtestMachine,
  config: PciConfigAccess = portConfigAccess(hal),
  windows: AddressWindows = PC_WINDOWS,
): { config: PciConfigAccess; found: PciFunction } {
  assignPci({ config, windows });
  const functions = enumeratePci({ config });
  const [found] = functions.filter(({ vendorId }) => vendorId === VIRTIO_PCI_VENDOR);
  if (found === undefined) throw new Error("no virtio function");
  return { config, found };
}

const RINGS_AT = 0x10_0000;
const RING_BYTES = 0x1_0000;
const BUFFERS_AT = 0x20_0000;
const PFNS = [0x3000, 0x3001, 0x3002];

/** A split ring in guest memory that has one buffer at a time. */
class OneBuffer {
  readonly setup: QueueSetup;
  private readonly machine: QtestMachine;
  private posted = 0;

  constructor(machine: QtestMachine, transport: Transport, index: number, sizeMax = 1024) {
    const largest = transport.queueMaxSize(index);
    const size = transport.fixedQueueSize ? largest : Math.min(largest, sizeMax);
    const { alignment } = transport.ringLayout;
    const descriptorArea = RINGS_AT + index * RING_BYTES;
    const driverArea = descriptorArea + 16 * size;
    const deviceArea = Math.ceil((driverArea + 6 + 2 * size) / alignment) * alignment;
    this.machine = machine;
    this.setup = { index, size, descriptorArea, driverArea, deviceArea };
    machine.clear(descriptorArea, RING_BYTES);
  }

  /** Three page frame numbers, for a balloon; to others bytes of anything. */
  post(bytes: number = 4 * PFNS.length): void {
    const { descriptorArea, driverArea, size } = this.setup;
    const buffer = BUFFERS_AT + this.setup.index * 0x1000;
    PFNS.forEach((pfn, at) => {
      this.machine.write(buffer + 4 * at, 4, pfn);
    });
    this.machine.write(descriptorArea, 4, buffer);
    this.machine.write(descriptorArea + 8, 4, bytes);
    this.machine.write(driverArea + 4 + 2 * (this.posted % size), 2, 0);
    this.posted += 1;
    this.machine.write(driverArea + 2, 2, this.posted);
  }

  /** The device's used index has come to where the driver's is. */
  get isUsed(): boolean {
    return this.machine.hal.mmioRead(this.setup.deviceArea + 2, 2) === this.posted;
  }
}

export interface BroughtUp {
  readonly rings: readonly OneBuffer[];
  readonly steps: readonly BringUpStep[];
  readonly negotiation: Negotiation;
}

/** Up to DRIVER_OK, with so many queues. */
export function bringUp(
  machine: QtestMachine,
  transport: Transport,
  queues: number,
  wanted: FeatureSet,
): BroughtUp {
  const steps: BringUpStep[] = [];
  let rings: OneBuffer[] = [];
  const up = new BringUp({
    transport,
    decide: (offered) => offered & wanted,
    queues: () => {
      rings = Array.from({ length: queues }, (_, i) => new OneBuffer(machine, transport, i));
      return rings.map(({ setup }) => setup);
    },
    onStep: (step) => steps.push(step),
  });
  for (let next = up.advance(); next !== "running"; next = up.advance()) {
    if (up.state.name === "failed") throw up.state.error;
  }
  if (up.state.name !== "running") throw new Error(up.state.name);
  return { rings, steps, negotiation: up.state.negotiation };
}
