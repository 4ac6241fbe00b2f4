/**
 * The legacy PCI interface (virtio 1.3, 4.1.4.10): a header in BAR 0, and behind it the device
 * configuration. While MSI-X is enabled the header has two more fields, the vectors, and the
 * configuration starts behind them.
 */

import type { AccessQuirk } from "../host/profile.ts";
import type { Context } from "../judge/context.ts";
import { LEGACY, LEGACY_CONFIG, LEGACY_PAGE_BYTES } from "../spec/numbers.ts";
import { LegacyQueues } from "../virtio/legacy-queues.ts";
import {
  configFields,
  ones,
  type RegisterAccess,
  RegisterBlocks,
  readOnly,
  readWrite,
} from "../virtio/register-block.ts";
import type { RegisterField } from "../virtio/register-field.ts";
import type { VirtioDevice } from "../virtio/virtio-device.ts";
import type { MsixVectors } from "./msix-vectors.ts";

export class LegacyHeader implements RegisterAccess {
  private readonly context: Context;
  private readonly virtio: VirtioDevice;
  private readonly vectors: MsixVectors;
  readonly queues: LegacyQueues;
  private readonly header: RegisterAccess;
  private readonly config: RegisterAccess;

  constructor(context: Context, virtio: VirtioDevice, vectors: MsixVectors, quirk: AccessQuirk) {
    this.context = context;
    this.virtio = virtio;
    this.vectors = vectors;
    this.queues = new LegacyQueues(context, virtio, "P-QUEUE-ABSENT");
    const fields = [...this.deviceFields(), ...this.queueFields(), ...this.vectorFields()];
    const widths = { width: "P-WIDTH", hole: "P-HOLE" } as const;
    this.header = new RegisterBlocks(context, quirk, widths).block("legacy", fields);
    // The configuration may be accessed with any width (virtio 1.3, 4.1.4.10).
    const config = new RegisterBlocks(context, "any", { hole: "P-CONFIG-LENGTH" });
    this.config = config.block("device", configFields(virtio));
  }

  read(offset: number, width: number): number {
    const { configStart } = this;
    if (offset >= configStart) return this.config.read(offset - configStart, width);
    return this.isMisplaced(offset, width) ? ones(width) : this.header.read(offset, width);
  }

  write(offset: number, width: number, value: number): void {
    const { configStart } = this;
    if (offset >= configStart) {
      this.config.write(offset - configStart, width, value);
      return;
    }
    if (!this.isMisplaced(offset, width)) this.header.write(offset, width, value);
  }

  private get configStart(): number {
    return this.vectors.enabled ? LEGACY_CONFIG.msix : LEGACY_CONFIG.plain;
  }

  /**
   * With MSI-X on the configuration starts at 24, not at 20. An access there of another width than
   * the vectors' is meant for the configuration.
   */
  private isMisplaced(offset: number, width: number): boolean {
    if (offset < LEGACY_CONFIG.plain || width === 2) return false;
    const seen = `${width} bytes at ${offset}, MSI-X is enabled`;
    this.context.judge.breach("L-CONFIG-PLACE", seen);
    return true;
  }

  private deviceFields(): RegisterField[] {
    const { context, virtio } = this;
    const readIsr = () => {
      this.vectors.judgeIsr();
      return virtio.readIsr();
    };
    return [
      readOnly(context, "device_features", LEGACY.deviceFeatures, 4, () => virtio.readOffer(0)),
      readWrite("driver_features", LEGACY.driverFeatures, 4, {
        read: () => virtio.readFeatures(0),
        write: (value) => virtio.writeFeatures(0, value),
      }),
      readWrite("device_status", LEGACY.deviceStatus, 1, {
        read: () => virtio.readStatus(),
        write: (value) => virtio.writeStatus(value),
      }),
      readOnly(context, "isr", LEGACY.isrStatus, 1, readIsr, "P-PENDING-WRITE"),
    ];
  }

  private queueFields(): RegisterField[] {
    const { context, queues, virtio } = this;
    return [
      readWrite("queue_address", LEGACY.queueAddress, 4, {
        read: () => queues.readNumber(),
        write: (value) => queues.writeNumber(value, LEGACY_PAGE_BYTES, LEGACY_PAGE_BYTES),
      }),
      readOnly(context, "queue_size", LEGACY.queueSize, 2, () => queues.readSize()),
      readWrite("queue_select", LEGACY.queueSelect, 2, {
        read: () => queues.selected,
        write: (value) => {
          queues.selected = value;
        },
      }),
      {
        name: "queue_notify",
        offset: LEGACY.queueNotify,
        width: 2,
        wholeRule: "P-NOTIFY-WIDTH",
        read: () => 0,
        write: (value) => virtio.notifyByIndex(value),
      },
    ];
  }

  private vectorFields(): RegisterField[] {
    const { vectors, queues } = this;
    const fields = [
      vectors.configField(LEGACY.configMsixVector),
      vectors.queueField(LEGACY.queueMsixVector, {
        queue: () => queues.queue,
        // Nothing says that a queue's vector has to come before its address here.
        settable: () => queues.existing("queue_msix_vector"),
      }),
    ];
    return fields.map((field) => ({ ...field, exists: () => vectors.enabled }));
  }
}
