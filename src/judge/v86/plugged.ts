/** The reference device as a function on v86's bus. */
import { createDevice, type Device, type DeviceOptions } from "../../device/index.ts";
import type { Board, BoardFunction } from "../../vmm/index.ts";
import { type DeviceChoice, deviceOptions, profileOf } from "../device-options.ts";
import type { ScenarioDevice } from "../platform.ts";
import { halfWords } from "./half-words.ts";

/** I/O and memory, in the command register of a PCI function. */
const PCI_DECODE = 3;

/**
 * Returns a new device for this board, and the function that it is there. `incoming` is the state
 * of the device that it takes the place of.
 */
export function pluggedDevice(
  board: Board,
  choice: DeviceChoice,
  own: ScenarioDevice & Pick<DeviceOptions, "incoming">,
): { readonly device: Device; readonly plugged: BoardFunction } {
  const options = deviceOptions(choice, own);
  const device = createDevice({
    ...options,
    memory: board.memory,
    pci: { ...options.pci, ...assigned(choice) },
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

/** Returns what puts new devices on this board, the last one in the place of the one before. */
export function plugIn(board: Board, choice: DeviceChoice) {
  return (own: ScenarioDevice, incoming?: Uint8Array): Device => {
    const { device, plugged } = pluggedDevice(board, choice, {
      ...own,
      ...(incoming && { incoming }),
    });
    board.replace(plugged);
    board.line(device.interruptPending);
    return device;
  };
}

/** v86 has no firmware here: the BARs lie where the profile's machine has them, and answer. */
function assigned(choice: DeviceChoice) {
  return { bars: profileOf(choice).pci.bars, command: PCI_DECODE };
}
