/**
 * Blocks of registers and the accesses to them, on any transport. Every access is in the trace, and
 * one of a wrong width is a breach, whatever the device makes of it.
 */

import { PollCheck } from "../checks/poll-check.ts";
import type { AccessQuirk } from "../host/profile.ts";
import type { Context } from "../judge/context.ts";
import type { TraceKind } from "../sim/trace.ts";
import { CONFIG } from "../spec/numbers.ts";
import type { RuleId } from "../spec/rules.ts";
import { hitField, oddRead, oddWrite, type RegisterField } from "./register-field.ts";
import type { VirtioDevice } from "./virtio-device.ts";

/** A place that answers accesses; offsets count from its start. */
export interface RegisterAccess {
  read(offset: number, width: number): number;
  write(offset: number, width: number, value: number): void;
}

/** A transport's rules for accesses of a wrong width, if it has one, and where no field is. */
interface BlockRules {
  readonly width?: RuleId;
  readonly hole: RuleId;
}

/** All ones in 1, 2 or 4 bytes. */
export function ones(width: number): number {
  return 2 ** (8 * width) - 1;
}

/** Records an access that nobody answers. Returns what it reads. */
export function unanswered(
  { trace }: Context,
  what: string,
  access: { readonly address: number; readonly width: number; readonly value?: number },
  answer = ones(access.width),
): number {
  trace.add("hole", what, { ...access, value: access.value ?? answer });
  return answer;
}

export class RegisterBlocks {
  private readonly context: Context;
  private readonly quirk: AccessQuirk;
  private readonly rules: BlockRules;
  private readonly polls: PollCheck;

  constructor(context: Context, quirk: AccessQuirk, rules: BlockRules) {
    this.context = context;
    this.quirk = quirk;
    this.rules = rules;
    this.polls = new PollCheck(context);
  }

  /** An access to something else than a field: a run of equal reads is over. */
  other(): void {
    this.polls.other();
  }

  /** Returns a block with these fields. Fields that do not exist now are holes in it. */
  block(kind: TraceKind, fields: readonly RegisterField[]): RegisterAccess {
    return {
      read: (offset, width) => this.read(kind, fields, offset, width),
      write: (offset, width, value) => this.write(kind, fields, offset, width, value),
    };
  }

  private read(
    kind: TraceKind,
    fields: readonly RegisterField[],
    offset: number,
    width: number,
  ): number {
    const { trace, judge } = this.context;
    const hit = hitField(fields, offset, width);
    if (hit === undefined) return this.outside(kind, offset, width);
    const value = hit.native ? hit.field.read() : (oddRead(this.quirk, hit, width) ?? ones(width));
    trace.add(kind, `read ${hit.field.name}`, { width, value });
    const { name } = hit.field;
    if (!hit.native && this.rules.width !== undefined) {
      judge.breach(this.rules.width, `${name} is read with ${width} bytes`);
    }
    this.polls.read(`${kind} ${name}`, value);
    return value;
  }

  private write(
    kind: TraceKind,
    fields: readonly RegisterField[],
    offset: number,
    width: number,
    value: number,
  ): void {
    const { trace, judge } = this.context;
    this.polls.other();
    const hit = hitField(fields, offset, width);
    if (hit === undefined) {
      this.outside(kind, offset, width);
      return;
    }
    const { field } = hit;
    trace.add(kind, `write ${field.name}`, { width, value });
    if (hit.native) {
      field.write(value);
      return;
    }
    const rule = field.wholeRule ?? this.rules.width;
    const seen = `${field.name} is written with ${width} bytes at ${hit.within}`;
    if (rule !== undefined) judge.breach(rule, seen);
    const odd = oddWrite(this.quirk, hit, width, value);
    if (odd === undefined) return;
    if (field.writePart === undefined) field.write(odd);
    else field.writePart(odd, hit.within + width >= field.width);
  }

  private outside(kind: TraceKind, offset: number, width: number): number {
    const { trace, judge } = this.context;
    trace.add(kind, "access outside", { offset, width });
    const seen = `${kind} structure at ${offset}, ${width} bytes`;
    judge.breach(kind === "device" ? "P-CONFIG-LENGTH" : this.rules.hole, seen);
    return ones(width);
  }
}

/** Returns a field that is read and written. */
export function readWrite(
  name: string,
  offset: number,
  width: 1 | 2 | 4,
  ways: Pick<RegisterField, "read" | "write">,
): RegisterField {
  return { name, offset, width, ...ways };
}

/** Returns a field whose writes are breaches, of `rule` where it is another one. */
export function readOnly(
  { judge }: Context,
  name: string,
  offset: number,
  width: 1 | 2 | 4,
  read: () => number,
  rule: RuleId = "P-READ-ONLY",
): RegisterField {
  const write = (value: number) => judge.breach(rule, `${name} is written with ${value}`);
  return { name, offset, width, read, write };
}

const CONFIG_NAMES = ["num_pages", "actual", "free_page_hint_cmd_id", "poison_val"];

/** Returns the device configuration, which has 32-bit fields only. */
export function configFields(virtio: VirtioDevice): RegisterField[] {
  const fields: RegisterField[] = [];
  for (let offset = 0; offset < virtio.type.configBytes; offset += 4) {
    fields.push({
      name: CONFIG_NAMES[offset / 4] ?? `config ${offset}`,
      offset,
      width: 4,
      // One access, whatever the interface (virtio 1.3, 5.5.6.2.1).
      ...(offset === CONFIG.actual && { wholeRule: "D17" as const }),
      read: () => virtio.readConfig(offset),
      write: (value) => virtio.writeConfig(offset, value, true),
      writePart: (value, complete) => virtio.writeConfig(offset, value, complete),
    });
  }
  return fields;
}
