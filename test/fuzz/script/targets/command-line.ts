/**
 * A guest's command line: any text gives settings with which memory can be laid out, or one error
 * that says what is wrong.
 */
import { BallonetError } from "../../../../runtime/errors.ts";
import { type GuestOptions, parseCommandLine } from "../../../../runtime/kernel/command-line.ts";
import { planMemory } from "../../../../runtime/kernel/memory-plan.ts";
import { mmioSlotsOf } from "../../../../runtime/virtio/mmio/find.ts";
import { instantiateCore } from "../../../support/core-instance.ts";

const memory = new WebAssembly.Memory({ initial: 1 });
const core = instantiateCore(memory);
const MEBIBYTE = 2 ** 20;
const available = [{ start: MEBIBYTE, bytes: 64 * MEBIBYTE }];
const LINE_MAX = 2000;

function parsed(text: string): GuestOptions | undefined {
  try {
    for (const { base, size } of mmioSlotsOf(text)) {
      if (Number.isSafeInteger(base) && Number.isSafeInteger(size) && base + size >= 0) continue;
      throw new Error(`a slot at ${base} of ${size} bytes`);
    }
    return parseCommandLine(text);
  } catch (error) {
    if (!(error instanceof BallonetError) || error.code !== "config") throw error;
    if (/[\r\n]/.test(error.message) || error.message.length > LINE_MAX + 2 * text.length) {
      throw new Error(`no line: ${error.message}`);
    }
    return undefined;
  }
}

export function run(input: Uint8Array): void {
  const text = new TextDecoder().decode(input);
  const options = parsed(text);
  if (options === undefined) return;
  const { settings } = options;
  const bad = Object.entries(settings).find(([, value]) => Number.isNaN(value));
  if (bad !== undefined) throw new Error(`${bad[0]} is no number`);
  planMemory({ core, settings, available, coreEnd: 2 ** 32 });
}
