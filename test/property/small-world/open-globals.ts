/**
 * A WebAssembly module with every global that can change exported, so that its state outside of its
 * memory can be saved and put back.
 */
import {
  Reader,
  SECTION,
  type Section,
  sections,
  unsignedBytes,
} from "../../../src/image/wasm/binary.ts";

const KIND_GLOBAL = 3;
const END = 0x0b;

/** Every opened global is exported under this name, with its number behind. */
export const GLOBAL_NAME = "global ";

/** The numbers of the globals that can change. A core imports none, so they count from 0. */
function mutableGlobals(bytes: Uint8Array, { start }: Section): number[] {
  const reader = new Reader(bytes, start);
  const count = reader.unsigned();
  const mutable: number[] = [];
  for (let global = 0; global < count; global++) {
    reader.byte();
    if (reader.byte() === 1) mutable.push(global);
    // An initial value: one constant, whose bytes after the opcode may be anything but for END.
    reader.byte();
    reader.unsigned();
    if (reader.byte() !== END) throw new Error("an initial value is more than one constant");
  }
  return mutable;
}

/** Returns the module with its changeable globals exported. */
export function openGlobals(bytes: Uint8Array): WebAssembly.Module {
  const all = sections(bytes);
  const globals = all.find(({ id }) => id === SECTION.global);
  const exported = all.find(({ id }) => id === SECTION.export);
  if (globals === undefined || exported === undefined) throw new Error("no globals, or no exports");
  const reader = new Reader(bytes, exported.start);
  const before = reader.unsigned();
  const mutable = mutableGlobals(bytes, globals);
  const added = mutable.flatMap((global) => {
    const name = new TextEncoder().encode(`${GLOBAL_NAME}${global}`);
    return [...unsignedBytes(name.length), ...name, KIND_GLOBAL, ...unsignedBytes(global)];
  });
  const content = [
    ...unsignedBytes(before + mutable.length),
    ...bytes.subarray(reader.at, exported.end),
    ...added,
  ];
  const section = [SECTION.export, ...unsignedBytes(content.length), ...content];
  const whole = [...bytes.subarray(0, exported.head), ...section, ...bytes.subarray(exported.end)];
  return new WebAssembly.Module(new Uint8Array(whole));
}
