/**
 * The power button as ACPI describes it: an event of the PM1 block (ACPI 6.4, 4.8.3.1), or one of a
 * generic event device, whose handler notifies the button (5.6.9).
 *
 *   PM1 block   status u16 · enable u16; bit 8: the button
 */
import type { Hal } from "../hal.ts";
import type { AmlDevice, AmlMethod, AmlTable } from "./aml.ts";
import { type ReadSpace, runAml } from "./aml-run.ts";
import { dsdtOf, idOf, resourcesOf } from "./dsdt.ts";
import type { InterruptInput } from "./resources.ts";
import { AcpiMemory, type AcpiOptions, findTable } from "./tables.ts";

export interface PowerButton {
  /** Raised when something happens, which need not be the button. */
  readonly input: InterruptInput;
  /** From now on the button raises its input. */
  listen(): void;
  /** Whether the button was pressed since the last look. */
  pressed(): boolean;
}

/** Byte offsets in the FADT; a block's wide address follows its kind of space and three bytes. */
const FADT = { sci: 46, pm1: 56, pm1Length: 88, flags: 112, widePm1: 148 } as const;
const FLAG = { buttonIsDevice: 1 << 4, reduced: 1 << 20 } as const;
const PM1_BUTTON = 0x100;
const PM1_ABSENT = 0xffff;
const PM1_LENGTH_MIN = 4;
const PORTS_END = 0x1_0000;
const EVENT_DEVICE = "ACPI0013";
const BUTTON = "PNP0C0C";
/** What a button is notified of (ACPI 6.4, 5.6.6). */
const PRESSED = 0x80;

/** Undefined: ACPI's tables name no button that can be read. */
export function findPowerButton(options: AcpiOptions): PowerButton | undefined {
  const memory = new AcpiMemory(options);
  const fadt = findTable(memory, "FACP");
  if (fadt === undefined || memory.u32(fadt + 4) < FADT.flags + 4) return undefined;
  const flags = memory.u32(fadt + FADT.flags);
  if ((flags & (FLAG.reduced | FLAG.buttonIsDevice)) === 0) {
    const button = fixedButton(options.hal, memory, fadt);
    if (button !== undefined) return button;
  }
  const table = dsdtOf(memory, fadt);
  return table && eventButton(options.hal, memory, table);
}

function fixedButton(hal: Hal, memory: AcpiMemory, fadt: number): PowerButton | undefined {
  const isLong = memory.u32(fadt + 4) >= FADT.widePm1 + 12;
  const wide = isLong && memory.u8(fadt + FADT.widePm1) === 1 ? memory.u64(fadt + 152) : 0;
  const status = wide || memory.u32(fadt + FADT.pm1);
  const length = memory.u8(fadt + FADT.pm1Length);
  if (status === 0 || length < PM1_LENGTH_MIN || status + length > PORTS_END) return undefined;
  if (hal.portRead(status, 2) === PM1_ABSENT) return undefined;
  const enable = status + Math.floor(length / 2);
  const number = memory.u8(fadt + FADT.sci) + memory.u8(fadt + FADT.sci + 1) * 256;
  return {
    input: { number, isLevel: true, isActiveLow: true },
    listen: () => hal.portWrite(enable, 2, hal.portRead(enable, 2) | PM1_BUTTON),
    pressed: () => {
      const isPressed = (hal.portRead(status, 2) & PM1_BUTTON) !== 0;
      // Writing the bit clears it.
      if (isPressed) hal.portWrite(status, 2, PM1_BUTTON);
      return isPressed;
    },
  };
}

/** Each event device has one handler, which is told the interrupt. */
function eventButton(hal: Hal, memory: AcpiMemory, table: AmlTable): PowerButton | undefined {
  const buttons = table.devices.filter((it) => idOf(it) === BUTTON).map((it) => it.path);
  if (buttons.length === 0) return undefined;
  for (const device of table.devices.filter((it) => idOf(it) === EVENT_DEVICE)) {
    const [input] = resourcesOf(device).interrupts;
    const method = handlerOf(table, device);
    if (input === undefined || method === undefined) continue;
    const read = reader(hal, memory);
    return {
      input,
      listen: () => {},
      pressed: () =>
        runAml(table, { method, args: [input.number], read }).some(
          ({ device: path, value }) => value === PRESSED && buttons.includes(path),
        ),
    };
  }
  return undefined;
}

function handlerOf({ methods }: AmlTable, { path }: AmlDevice): AmlMethod | undefined {
  return methods.get(`${path}._EVT`);
}

/** Nothing happened where nobody answers, which reads as ones. */
function reader(hal: Hal, memory: AcpiMemory): ReadSpace {
  return (kind, address, width) => {
    const isPort = kind === "port";
    const isHere = isPort ? address + width <= PORTS_END : memory.has(address, width);
    if (!isHere) return 0;
    const value = isPort ? hal.portRead(address, width) : hal.mmioRead(address, width);
    return value === 2 ** (8 * width) - 1 ? 0 : value;
  };
}
