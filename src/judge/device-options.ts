/** The device of one scenario: what the caller has chosen, with what the scenario asks for. */
import type { MachineOptions } from "../device/index.ts";
import type { ScenarioDevice } from "./platform.ts";

/** Options of the device that hold for every scenario. */
export type DeviceChoice = Pick<
  MachineOptions,
  | "hostDesign"
  | "hostVersion"
  | "offer"
  | "profile"
  | "ringSize"
  | "transport"
  | "vectors"
  | "waive"
>;

/** Returns both; of the offered features, what the caller has chosen counts. */
export function deviceOptions(choice: DeviceChoice, own: ScenarioDevice) {
  return { ...choice, ...own, offer: { ...own.offer, ...choice.offer } };
}
