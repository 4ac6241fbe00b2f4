/** What has a name here: rules, scenarios, behaviours of hosts and the like; each in words. */

import { PERSONA_NAMES } from "../../runtime/abi.ts";
import { POLICY_NAMES, type PolicyName } from "../../runtime/index.ts";
import { behaviours } from "../check/behaviours/all.ts";
import { faults, type Level, type ProfileName, profiles, rules } from "../device/index.ts";
import { scenarios } from "../judge/scenarios.ts";
import { personaSource } from "../lab/subject-descriptions.ts";

/** One name, and what it stands for. */
export interface Entry {
  readonly name: string;
  readonly text: string;
  /** More sentences, for who asks for this one. */
  readonly details: readonly string[];
}

const POLICY_TEXTS: Readonly<Record<PolicyName, string>> = {
  follow: "Goes to the host's target at once, keeps a reserve, and backs off when memory is short.",
  gentle: "Goes where follow goes, at a pace; after a shortage it waits until there is room.",
  cooperative: "Follow's goal; asks the guest's program for memory before it gives up.",
  "report-only": "Never inflates; free memory goes back by page reporting alone.",
};

const PROFILE_TEXTS: Readonly<Record<ProfileName, string>> = {
  strict: "Allows what the specification allows and no more, with every legal oddity.",
  qemu: "Does what QEMU's virtio-balloon does.",
  v86: "Does what v86's balloon does.",
  firecracker: "Does what Firecracker's balloon does, shown on PCI.",
  crosvm: "Does what crosvm's balloon does.",
  "cloud-hypervisor": "Does what cloud-hypervisor's balloon does.",
  libkrun: "Does what libkrun's balloon does, shown on PCI.",
};

const LEVELS: Readonly<Record<Level, string>> = {
  MUST: "The specification demands it: a driver that breaks it fails the judge.",
  "MUST NOT": "The specification forbids it: a driver that breaks it fails the judge.",
  SHOULD: "The specification recommends it: a breach is told, and does not fail the judge.",
  "SHOULD NOT": "The specification advises against it: a breach is told, and does not fail.",
  FIELD:
    "The specification leaves it open, and devices in the field demand it: a breach is told, and " +
    "does not fail the judge.",
};

/** All lists, by the word that `ballonet list` takes. */
export const CATALOG = {
  rules: rules.map(({ id, level, section, title, observed }) => ({
    name: id,
    text: title,
    details: [
      `${level}, ${/^\d/.test(section) ? `virtio 1.3, ${section}` : section}. ${LEVELS[level]}`,
      `How it is seen: ${observed}`,
      `\`ballonet judge --waive ${id}\` leaves it out.`,
    ],
  })),
  scenarios: scenarios.map(({ name, text, isDefault }) => ({
    name,
    text,
    details: [
      isDefault
        ? "It is one of those that run when none is named."
        : "It runs when it is named alone.",
      `\`ballonet judge --scenario ${name}\` runs it.`,
    ],
  })),
  profiles: Object.keys(profiles).map((name) => ({
    name,
    text: PROFILE_TEXTS[name as ProfileName],
    details: [`\`ballonet judge --profile ${name}\` judges a driver on it.`],
  })),
  faults: faults.map(({ name, does, expected }) => ({
    name,
    text: does,
    details: [
      `What a good driver does: ${expected}`,
      `\`ballonet judge --scenario fault-${name}\` lets it happen.`,
    ],
  })),
  personas: PERSONA_NAMES.map((name) => ({ name, text: personaSource(name), details: [] })),
  policies: POLICY_NAMES.map((name) => ({
    name,
    text: POLICY_TEXTS[name],
    details: [`\`ballonet boot --policy ${name}\` boots a guest with it.`],
  })),
  behaviours: behaviours.map(({ name, like = [], text, needs }) => ({
    name,
    text: [
      `A host ${text}.`,
      ...(needs.length > 0 ? [`It takes ${needs.join(", ")}.`] : []),
      ...(like.length > 0 ? [`Like ${like.join(", ")}.`] : []),
    ].join(" "),
    details: [`\`ballonet check --behaviours --only ${name}\` looks at it.`],
  })),
} as const satisfies Record<string, readonly Entry[]>;

/** What can be listed. */
export type ListName = keyof typeof CATALOG;

/** Returns the words that `ballonet list` takes. */
export const LIST_NAMES = Object.keys(CATALOG) as readonly ListName[];

/** Lists whose names `ballonet explain` tells by their entry alone: no run belongs to them. */
const EXPLAINED = ["rules", "scenarios", "profiles", "faults", "policies", "behaviours"] as const;

/** Returns what is known of a name; undefined when it is none of these lists'. */
export function entryNamed(
  name: string,
): { readonly list: ListName; readonly entry: Entry } | undefined {
  for (const list of EXPLAINED) {
    const entry = CATALOG[list].find((one) => one.name === name);
    if (entry !== undefined) return { list, entry };
  }
  return undefined;
}
