/** What a machine on the page is made of, as plain values that can be stored. */
import type { HostDesignName, PersonaName, ProfileName } from "./shared.ts";

/** The balloon device: v86's own, or the reference device with a host's design and profile. */
export type DeviceChoice =
  | { readonly kind: "v86" }
  | {
      readonly kind: "reference";
      readonly design: HostDesignName;
      readonly profile: ProfileName;
      /** How long the host takes to return a buffer. Default: it returns it at once. */
      readonly answerMs?: number;
    };

export interface MachineChoice {
  readonly memoryBytes: number;
  readonly persona: PersonaName;
  readonly device: DeviceChoice;
}

export const MIB = 2 ** 20;
export const PAGES_PER_MIB = 256;

/** The guest's command line. */
export function appendOf({ persona }: MachineChoice): string {
  return `ballonet.persona=${persona}`;
}

export const FIRST_CHOICE: MachineChoice = {
  memoryBytes: 64 * MIB,
  persona: "ballonet",
  device: { kind: "v86" },
};
