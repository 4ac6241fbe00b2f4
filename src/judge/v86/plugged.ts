/** The reference device as a function on v86's bus. */
import { createDevice, type Device, profiles } from "../../device/index.ts";
import type { Board, BoardFunction } from "../../vmm/index.ts";
import { type DeviceChoice, deviceOptions } from "../device-options.ts";
import type { ScenarioDevice } from "../platform.ts";
import { halfWords } from "./half-words.ts";

/** I/O and memory, in the command register of a PCI function. */
const PCI_DECODE = 3;

/** Returns a new device for this board, and the function that it is there. */
export function pluggedDevice(
  board: Board,
  choice: DeviceChoice,
  own: ScenarioDevice,
): { readonly device: Device; readonly plugged: BoardFunction } {
  const device = createDevice({
    ...deviceOptions(choice, own),
    memory: board.memory,
    pci: assigned(choice),
    subject: "system",
    interrupts: { onLine: (up) => board.line(up) },
  });
  const { pci } = device;
  const plugged = {
    config: pci.config,
    get bars() {
      return pci.bars;
    },
    read: pci.read.bind(pci),
    write: pci.write.bind(pci),
    isHalfWord: halfWords(pci),
  };
  return { device, plugged };
}

/** v86 has no firmware here: the BARs lie where the profile's machine has them, and answer. */
function assigned({ profile = "strict" }: DeviceChoice) {
  const { bars } = (typeof profile === "string" ? profiles[profile] : profile).pci;
  return { bars, command: PCI_DECODE };
}
