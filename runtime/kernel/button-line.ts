/** The power button of a machine whose chipset is not QEMU's, on the line that it raises. */
import { findPowerButton, type PowerButton } from "../acpi/power-button.ts";
import type { AcpiOptions } from "../acpi/tables.ts";
import { INPUT_LINE, type Machine } from "./machine.ts";

/** Lines of the old PC: ACPI's first inputs. */
const LINES = 16;

export interface ButtonLineOptions {
  readonly machine: Machine;
  readonly acpi: AcpiOptions;
  /** Whether INPUT_LINE is another device's. */
  readonly inputTaken: boolean;
}

export class ButtonLine {
  private readonly button: PowerButton;
  private readonly line: number;

  private constructor(button: PowerButton, line: number) {
    this.button = button;
    this.line = line;
  }

  /** From now on the button ends waits. Undefined: there is none, or none that can interrupt. */
  static listen({ machine, acpi, inputTaken }: ButtonLineOptions): ButtonLine | undefined {
    const button = findPowerButton(acpi);
    if (button === undefined) return undefined;
    const { number, isLevel, isActiveLow } = button.input;
    if (number < LINES) machine.listen(number);
    else if (inputTaken || machine.connect(number, isLevel, isActiveLow) === 0) return undefined;
    button.listen();
    return new ButtonLine(button, number < LINES ? number : INPUT_LINE);
  }

  /** `lines` are those that were raised, a bit each. True: the button was pressed. */
  pressed(lines: number): boolean {
    return (lines & (1 << this.line)) !== 0 && this.button.pressed();
  }
}
