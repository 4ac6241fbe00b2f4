/** The blocks of the modern interface, one region for each capability (virtio 1.3, 4.1.4). */

import type { CapSpec, Profile } from "../host/profile.ts";
import type { Context } from "../judge/context.ts";
import { CAP, FEATURE } from "../spec/numbers.ts";
import type { RuleId } from "../spec/rules.ts";
import {
  configFields,
  ones,
  type RegisterAccess,
  RegisterBlocks,
  readOnly,
} from "../virtio/register-block.ts";
import type { RegisterField } from "../virtio/register-field.ts";
import type { VirtioDevice } from "../virtio/virtio-device.ts";
import { CommonConfig, queueWord } from "./common-config.ts";
import type { MsixVectors } from "./msix-vectors.ts";
import type { Region } from "./pci-function.ts";

export class ModernInterface {
  private readonly context: Context;
  private readonly profile: Profile;
  private readonly virtio: VirtioDevice;
  private readonly vectors: MsixVectors;
  readonly common: CommonConfig;
  private readonly blocks: RegisterBlocks;

  constructor(context: Context, profile: Profile, virtio: VirtioDevice, vectors: MsixVectors) {
    this.context = context;
    this.profile = profile;
    this.virtio = virtio;
    this.vectors = vectors;
    this.common = new CommonConfig(context, virtio, vectors, profile.lowAddressesOnly);
    const rules = { width: "P-WIDTH", hole: "P-HOLE" } as const;
    this.blocks = new RegisterBlocks(context, profile.access, rules);
  }

  /** Returns the region that this capability describes, if any. */
  region(spec: CapSpec): Region | undefined {
    const access = spec.reserved
      ? this.watched("P-RESERVED-CAP", "where a reserved capability points")
      : this.access(spec.type);
    if (access === undefined) return undefined;
    const place = { bar: spec.bar, offset: spec.offset, bytes: spec.bytes };
    const { caps } = this.profile.pci;
    const first = caps.find(({ type, reserved }) => type === spec.type && !reserved);
    if (spec.reserved || spec === first) return { ...place, ...access };
    const seen = `by capability ${caps.indexOf(spec)}, there is an earlier one of its type`;
    return { ...place, ...this.watched("P-CAP-FIRST", seen, access) };
  }

  private access(type: number): RegisterAccess | undefined {
    const { blocks, virtio } = this;
    switch (type) {
      case CAP.commonCfg:
        return blocks.block("common", this.common.fields);
      case CAP.isrCfg:
        return blocks.block("isr", [this.isrField()]);
      case CAP.deviceCfg:
        return blocks.block("device", configFields(virtio));
      case CAP.notifyCfg:
        return this.notifications();
      default:
        return undefined;
    }
  }

  private isrField(): RegisterField {
    const read = () => {
      this.vectors.judgeIsr();
      return this.virtio.readIsr();
    };
    return readOnly(this.context, "isr", 0, 1, read, "P-PENDING-WRITE");
  }

  private notifications(): RegisterAccess {
    return {
      read: (offset, width) => {
        this.context.trace.add("notify", "read", { offset, width });
        return ones(width);
      },
      write: (offset, width, value) => {
        this.blocks.other();
        this.context.trace.add("notify", "write", { offset, width, value });
        this.notified(offset, width, value);
      },
    };
  }

  private notified(offset: number, width: number, value: number): void {
    const { judge } = this.context;
    const withData = this.virtio.has(FEATURE.notificationData);
    if (width !== (withData ? 4 : 2)) {
      judge.breach("P-NOTIFY-WIDTH", `a notification of ${width} bytes`);
      return;
    }
    const word = value % 0x1_0000;
    const { virtio } = this;
    const queue = virtio.queues.find((_, index) => queueWord(virtio, index) === word);
    const wanted = (queue?.options.notifyOff ?? 0) * this.profile.pci.notifyMultiplier;
    if (queue === undefined || offset !== wanted) {
      judge.breach("P-NOTIFY-VALUE", `value ${word} at offset ${offset}`);
      return;
    }
    this.virtio.notify(queue, withData ? Math.floor(value / 0x1_0000) : undefined);
  }

  /** A place that a driver should not access; accesses reach what is `behind`, if anything. */
  private watched(rule: RuleId, where: string, behind?: RegisterAccess): RegisterAccess {
    const { judge } = this.context;
    return {
      read: (offset, width) => {
        judge.breach(rule, `a read ${where}`);
        return behind?.read(offset, width) ?? ones(width);
      },
      write: (offset, width, value) => {
        judge.breach(rule, `a write ${where}`);
        behind?.write(offset, width, value);
      },
    };
  }
}
