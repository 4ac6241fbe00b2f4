/** Settings from a persona's name and the caller's changes. */
import { configError } from "../errors.ts";
import { BALLOON_FEATURE } from "./constants.ts";
import { PERSONA_NAMES, PERSONAS, type PersonaName } from "./personas.ts";
import { checkSettings, type DriverSettings } from "./settings.ts";
import { HOST_TRUSTS, type HostTrust, UNTRUSTED_HOST } from "./untrusted-host.ts";

/** Whether to take a feature when it is offered. */
export type FeatureChoice = "accept" | "decline";

/**
 * What a caller may change about a persona. `host: "untrusted"` changes several settings at once,
 * and declines hinting and reporting unless they are asked for; other changes come after it.
 */
export type SettingsInput = Partial<Omit<DriverSettings, "persona" | "accept" | "decline">> & {
  readonly persona?: PersonaName;
  readonly host?: HostTrust;
  /** MUST_TELL_HOST. */
  readonly mustTellHost?: FeatureChoice;
  /** FREE_PAGE_HINT, which shows the host where free memory lies. */
  readonly freePageHinting?: FeatureChoice;
  /** PAGE_REPORTING, which does so, too. */
  readonly pageReporting?: FeatureChoice;
  /** STATS_VQ. */
  readonly statistics?: FeatureChoice;
};

/** The features of which a caller chooses. */
const CHOICES = {
  mustTellHost: BALLOON_FEATURE.MUST_TELL_HOST,
  freePageHinting: BALLOON_FEATURE.FREE_PAGE_HINT,
  pageReporting: BALLOON_FEATURE.PAGE_REPORTING,
  statistics: BALLOON_FEATURE.STATS_VQ,
} as const;

type ChoiceName = keyof typeof CHOICES;

/**
 * Returns a persona with the caller's changes.
 * @throws BallonetError `config` on any that makes no sense.
 */
export function makeSettings(input: SettingsInput = {}): DriverSettings {
  const { persona = "ballonet", host = "trusted", ...given } = input;
  checkName("persona", persona, PERSONA_NAMES);
  checkName("host", host, HOST_TRUSTS);
  const base: DriverSettings = PERSONAS[persona];
  const { features, changes } = sorted(given, base);
  const isTrusted = host === "trusted";
  const settings: DriverSettings = {
    ...base,
    ...(!isTrusted && UNTRUSTED_HOST),
    ...changes,
    ...acceptance(base, {
      ...(!isTrusted && { freePageHinting: "decline", pageReporting: "decline" }),
      ...features,
    }),
  };
  checkSettings(settings);
  return settings;
}

function checkName(what: string, name: string, names: readonly string[]): void {
  if (names.includes(name)) return;
  throw configError(what, `"${name}"`, `choose one of ${names.join(", ")}`);
}

/** Tells the choices of features from the changes of settings; undefined is no change. */
function sorted(given: object, base: DriverSettings) {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  for (const [name] of entries) {
    if (Object.hasOwn(CHOICES, name) || Object.hasOwn(base, name)) continue;
    throw configError("settings", `an unknown one, "${name}"`, "remove it");
  }
  const isChoice = ([name]: [string, unknown]) => Object.hasOwn(CHOICES, name);
  return {
    features: Object.fromEntries(entries.filter(isChoice)),
    changes: Object.fromEntries(entries.filter((entry) => !isChoice(entry))),
  };
}

function acceptance(
  { accept, decline }: DriverSettings,
  choices: Partial<Record<ChoiceName, FeatureChoice>>,
): Pick<DriverSettings, "accept" | "decline"> {
  const chosen = Object.entries(choices) as [ChoiceName, FeatureChoice][];
  const bitsOf = (choice: FeatureChoice) =>
    chosen.filter(([, it]) => it === choice).map(([name]) => CHOICES[name]);
  const declined = bitsOf("decline");
  const others = accept.filter((bit) => !chosen.some(([name]) => CHOICES[name] === bit));
  return { accept: [...bitsOf("accept"), ...others], decline: [...decline, ...declined] };
}
