/**
 * Drivers that are judged as guests of an emulator: as others behave, and broken on purpose. What
 * the judge must say of each does not stand here: it is what it says of the same driver in process.
 */
import type { DeflateMode } from "../../../runtime/balloon/deflate-order.ts";
import { PERSONA_NAMES, type PersonaName } from "../../../runtime/balloon/personas.ts";
import type { DeviceChoice } from "../../../src/judge/index.ts";

/** The driver with other settings. */
export interface Behaved {
  readonly name: string;
  readonly settings: { readonly persona?: PersonaName; readonly deflateMode?: DeflateMode };
  readonly device?: DeviceChoice;
}

export const BEHAVED: readonly Behaved[] = [
  ...PERSONA_NAMES.map((persona) => ({ name: `as ${persona}`, settings: { persona } })),
  // The device must not offer MUST_TELL_HOST to it: then it gives up, as it should.
  {
    name: "that never tells",
    settings: { deflateMode: "silent" },
    device: { offer: { mustTellHost: false } },
  },
  { name: "that may not be silent", settings: { deflateMode: "silent" } },
];

/** Something that the judge cannot see, by the rule that it would say was broken. */
type Unseen = Readonly<Record<string, string>>;

/** The driver with the mistake of a mutant. */
export interface Broken {
  /** Its id. */
  readonly mutant: string;
  /** Default `targets`. */
  readonly scenario?: string;
  readonly device?: DeviceChoice;
  /** What an emulator does not show, and why. */
  readonly unseen?: { readonly qemu?: Unseen; readonly v86?: Unseen };
}

const OF_THE_SYSTEM = "A system may touch any function: only a driver alone must not.";

export const BROKEN: readonly Broken[] = [
  // Bring-up.
  { mutant: "starts without a reset" },
  { mutant: "sets DRIVER before ACKNOWLEDGE" },
  { mutant: "writes status bits instead of adding them" },
  { mutant: "takes VERSION_1 for granted and reads one word of the offer" },
  { mutant: "accepts features once more after FEATURES_OK" },
  { mutant: "does not read FEATURES_OK back" },
  { mutant: "sees DEVICE_NEEDS_RESET and waits", scenario: "needs-reset" },
  // Transports.
  { mutant: "enables a queue before it has addresses" },
  { mutant: "forgets to enable the deflate queue" },
  { mutant: "writes into a capability" },
  { mutant: "uses the access window before it points anywhere" },
  { mutant: "reads poison_val though the configuration is shorter" },
  {
    mutant: "knows the sizes of a legacy device's queues by heart",
    device: { transport: "legacy" },
  },
  // Rings.
  { mutant: "sets a flag that nobody has described" },
  { mutant: "clears a descriptor in flight", scenario: "completion-late" },
  { mutant: "writes event flags that are reserved", device: { offer: { packed: true } } },
  // The balloon.
  { mutant: "declines MUST_TELL_HOST" },
  { mutant: "stops one page short of the target" },
  { mutant: "takes pages back without a word" },
  { mutant: "never updates actual" },
  { mutant: "writes actual as a byte" },
  { mutant: "writes actual every time" },
  { mutant: "puts 512 pages into a buffer" },
  { mutant: "names pages from the highest down" },
  { mutant: "reports one tag twice", scenario: "statistics" },
  { mutant: "answers statistics once and never again", scenario: "statistics" },
  // What an emulator hides.
  {
    mutant: "switches on every virtio function that it meets",
    unseen: {
      qemu: { "P-WRONG-DEVICE": OF_THE_SYSTEM },
      v86: { "P-WRONG-DEVICE": OF_THE_SYSTEM },
    },
  },
];
