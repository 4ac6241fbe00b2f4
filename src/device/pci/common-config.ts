/**
 * The common configuration structure (virtio 1.3, 4.1.4.3). Writes to a queue's fields take effect
 * only while the queue is not enabled.
 */

import type { Context } from "../judge/context.ts";
import { type AreaKey, judgeAreas, QUEUE_AREAS } from "../queue/queue-areas.ts";
import type { Virtqueue } from "../queue/virtqueue.ts";
import { COMMON, FEATURE } from "../spec/numbers.ts";
import { readOnly, readWrite } from "../virtio/register-block.ts";
import type { RegisterField } from "../virtio/register-field.ts";
import type { VirtioDevice } from "../virtio/virtio-device.ts";
import type { MsixVectors } from "./msix-vectors.ts";

const ALL_ADDRESSES = 7;

const PLACES: Readonly<Record<AreaKey, number>> = {
  descAddress: COMMON.queueDesc,
  driverAddress: COMMON.queueDriver,
  deviceAddress: COMMON.queueDevice,
};

/** With NOTIF_CONFIG_DATA queues have words from here on, so that no word is an index. */
const QUEUE_WORDS = 0x4000;

/**
 * Returns the word that names a queue in a notification: its index, or the device's choice (2.9).
 */
export function queueWord(virtio: VirtioDevice, index: number): number {
  return virtio.has(FEATURE.notifConfigData) ? QUEUE_WORDS + index : index;
}

export class CommonConfig {
  readonly fields: readonly RegisterField[];
  private readonly context: Context;
  private readonly virtio: VirtioDevice;
  private readonly vectors: MsixVectors;
  private readonly lowAddressesOnly: boolean;
  private offerSelect = 0;
  private featureSelect = 0;
  private queueSelect = 0;

  constructor(
    context: Context,
    virtio: VirtioDevice,
    vectors: MsixVectors,
    lowAddressesOnly: boolean,
  ) {
    this.context = context;
    this.virtio = virtio;
    this.vectors = vectors;
    this.lowAddressesOnly = lowAddressesOnly;
    this.fields = [...this.deviceFields(), ...this.queueFields(), ...this.addressFields()];
  }

  private deviceFields(): RegisterField[] {
    const { virtio } = this;
    return [
      this.selector("device_feature_select", COMMON.deviceFeatureSelect, 4, "offerSelect"),
      readOnly(this.context, "device_feature", COMMON.deviceFeature, 4, () =>
        virtio.readOffer(this.offerSelect),
      ),
      this.selector("driver_feature_select", COMMON.driverFeatureSelect, 4, "featureSelect"),
      readWrite("driver_feature", COMMON.driverFeature, 4, {
        read: () => virtio.readFeatures(this.featureSelect),
        write: (value) => virtio.writeFeatures(this.featureSelect, value),
      }),
      this.vectors.configField(COMMON.configMsixVector),
      readOnly(this.context, "num_queues", COMMON.numQueues, 2, () => virtio.queues.length),
      readWrite("device_status", COMMON.deviceStatus, 1, {
        read: () => virtio.readStatus(),
        write: (value) => virtio.writeStatus(value),
      }),
      readOnly(this.context, "config_generation", COMMON.configGeneration, 1, () =>
        virtio.readGeneration(),
      ),
    ];
  }

  private queueFields(): RegisterField[] {
    return [
      this.selector("queue_select", COMMON.queueSelect, 2, "queueSelect"),
      readWrite("queue_size", COMMON.queueSize, 2, {
        read: () => this.queue?.size ?? 0,
        write: (value) => this.writeSize(value),
      }),
      this.vectors.queueField(COMMON.queueMsixVector, {
        queue: () => this.queue,
        settable: () => this.settable("queue_msix_vector"),
      }),
      readWrite("queue_enable", COMMON.queueEnable, 2, {
        read: () => (this.queue?.showsEnabled ? 1 : 0),
        write: (value) => this.writeEnable(value),
      }),
      readOnly(this.context, "queue_notify_off", COMMON.queueNotifyOff, 2, () => {
        return this.queue?.options.notifyOff ?? 0;
      }),
      {
        ...readOnly(this.context, "queue_notif_config_data", COMMON.queueNotifConfigData, 2, () =>
          queueWord(this.virtio, this.queueSelect),
        ),
        // This field, and the next one, are there only with their features (virtio 1.3, 4.1.4.3).
        exists: () => this.virtio.has(FEATURE.notifConfigData),
      },
      {
        ...readWrite("queue_reset", COMMON.queueReset, 2, {
          read: () => (this.queue?.readReset() ? 1 : 0),
          write: (value) => this.writeReset(value),
        }),
        exists: () => this.virtio.has(FEATURE.ringReset),
      },
    ];
  }

  /** A register that only chooses what others show. */
  private selector(
    name: string,
    offset: number,
    width: 2 | 4,
    chosen: "offerSelect" | "featureSelect" | "queueSelect",
  ): RegisterField {
    return readWrite(name, offset, width, {
      read: () => this[chosen],
      write: (value) => {
        this[chosen] = value;
      },
    });
  }

  private addressFields(): RegisterField[] {
    return QUEUE_AREAS.flatMap(({ key, name }, part) => [
      readWrite(`${name} (low)`, PLACES[key], 4, {
        read: () => (this.queue?.[key] ?? 0) % 0x1_0000_0000,
        write: (value) => this.writeAddress(part, key, value, "low"),
      }),
      readWrite(`${name} (high)`, PLACES[key] + 4, 4, {
        read: () => Math.floor((this.queue?.[key] ?? 0) / 0x1_0000_0000),
        write: (value) => this.writeAddress(part, key, value, "high"),
      }),
    ]);
  }

  private get queue(): Virtqueue | undefined {
    const queue = this.virtio.queues[this.queueSelect];
    return queue?.exists ? queue : undefined;
  }

  /** The device was reset: nothing is selected. */
  reset(): void {
    this.offerSelect = 0;
    this.featureSelect = 0;
    this.queueSelect = 0;
  }

  save() {
    const { offerSelect, featureSelect, queueSelect } = this;
    return { offerSelect, featureSelect, queueSelect };
  }

  load(state: ReturnType<CommonConfig["save"]>): void {
    Object.assign(this, state);
  }

  private existing(what: string): Virtqueue | undefined {
    const { queue } = this;
    if (queue !== undefined) return queue;
    const seen = `${what} of queue ${this.queueSelect}, which is not there`;
    this.context.judge.breach("P-QUEUE-ABSENT", seen);
    return undefined;
  }

  /** Returns the queue to set up; `undefined` when there is none or it is enabled. */
  private settable(what: string): Virtqueue | undefined {
    const queue = this.existing(what);
    queue?.judgeReset(what);
    if (!queue?.enabled) return queue;
    const seen = `${what} of ${queue.options.name} changes after it was enabled`;
    this.context.judge.breach("P-ENABLE-ORDER", seen);
    return undefined;
  }

  private writeSize(value: number): void {
    const { judge } = this.context;
    const queue = this.settable("queue_size");
    if (queue === undefined) return;
    if (value === 0 || (!queue.packed && (value & (value - 1)) !== 0)) {
      judge.breach("P-QUEUE-SIZE", `${queue.options.name}: queue_size ${value}`);
      return;
    }
    const { offeredSize } = queue;
    if (value > offeredSize) {
      judge.breach("P-QUEUE-LARGER", `${queue.options.name}: ${value}, offered are ${offeredSize}`);
    }
    queue.size = Math.min(value, offeredSize);
  }

  private writeAddress(part: number, key: AreaKey, value: number, half: "low" | "high"): void {
    const queue = this.settable(QUEUE_AREAS[part]?.name ?? key);
    if (queue === undefined) return;
    const was = queue[key];
    if (half === "low") {
      queue.written |= 1 << part;
      queue[key] = was - (was % 0x1_0000_0000) + value;
    } else if (!this.lowAddressesOnly) {
      queue[key] = (was % 0x1_0000_0000) + value * 0x1_0000_0000;
    }
  }

  private writeEnable(value: number): void {
    const { judge } = this.context;
    if (value === 0) {
      judge.breach("P-ENABLE-ZERO", `queue ${this.queueSelect}: 0 is written to queue_enable`);
      return;
    }
    if (value !== 1) {
      judge.breach("P-ENABLE-VALUE", `queue ${this.queueSelect}: queue_enable ${value}`);
      return;
    }
    const queue = this.settable("queue_enable");
    if (queue === undefined || !this.judgeParts(queue)) return;
    this.vectors.judgeRead(queue);
    this.virtio.enableQueue(queue);
  }

  private writeReset(value: number): void {
    const queue = this.existing("queue_reset");
    if (queue === undefined) return;
    if (value !== 1) {
      this.context.judge.breach("P-RESET-VALUE", `${queue.options.name}: queue_reset ${value}`);
    } else {
      queue.resetAlone();
      this.vectors.forget(queue);
    }
  }

  private judgeParts(queue: Virtqueue): boolean {
    if (queue.written === ALL_ADDRESSES) return judgeAreas(this.context, queue);
    const seen = `${queue.options.name} is enabled before its addresses are set`;
    this.context.judge.breach("P-ENABLE-ORDER", seen);
    return false;
  }
}
