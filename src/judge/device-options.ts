/** The device of one scenario: what the caller has chosen, with what the scenario asks for. */
import { type MachineOptions, profiles } from "../device/index.ts";
import type { ScenarioDevice } from "./platform.ts";

/** Options of the device that hold for every scenario. */
export type DeviceChoice = Pick<
  MachineOptions,
  | "hostDesign"
  | "hostVersion"
  | "judging"
  | "offer"
  | "profile"
  | "ringSize"
  | "transport"
  | "vectors"
  | "waive"
>;

/**
 * Returns both; of the offered features, what the caller has chosen counts. A scenario's own
 * profile gets the bus of the chosen one, so that it fits into a machine that is running.
 */
export function deviceOptions(choice: DeviceChoice, own: ScenarioDevice) {
  const { pci, mmio } = profileOf(choice);
  return {
    ...choice,
    ...own,
    ...(own.profile !== undefined && { pci, mmio }),
    offer: { ...own.offer, ...choice.offer },
  };
}

/** Returns the profile that the caller has chosen. */
export function profileOf({ profile = "strict" }: DeviceChoice) {
  return typeof profile === "string" ? profiles[profile] : profile;
}

/** Returns what was chosen besides profile and transport, as a report tells it. */
export function settingsOf(choice: DeviceChoice): Readonly<Record<string, string>> {
  const { hostDesign, hostVersion, offer = {}, ringSize, vectors = 0, waive = [] } = choice;
  const { extra, ...named } = offer;
  const features = Object.entries(named)
    .filter(([, isOffered]) => isOffered !== undefined)
    .map(([name, isOffered]) => `${isOffered ? "" : "-"}${typed(name)}`);
  const all = {
    features: features.sort().join(","),
    extraFeatures: extra?.toString(),
    vectors: vectors === 0 ? undefined : `${vectors}`,
    waive: [...waive].sort().join(","),
    ringSize: ringSize?.toString(),
    hostDesign,
    hostVersion,
  };
  const given = Object.entries(all).filter((one): one is [string, string] => Boolean(one[1]));
  return Object.fromEntries(given);
}

/** `page-reporting` for pageReporting, as the command line has it. */
function typed(name: string): string {
  return name.replace(/[A-Z]|\d+/g, (part) => `-${part.toLowerCase()}`);
}
