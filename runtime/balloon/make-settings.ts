/** Settings from a persona's name and the caller's changes. */
import { configError } from "../errors.ts";
import { BALLOON_FEATURE } from "./constants.ts";
import { PERSONA_NAMES, PERSONAS, type PersonaName } from "./personas.ts";
import { checkSettings, type DriverSettings } from "./settings.ts";

/** What a caller may change about a persona, and whether to take MUST_TELL_HOST when offered. */
export type SettingsInput = Partial<Omit<DriverSettings, "persona" | "accept">> & {
  readonly persona?: PersonaName;
  readonly mustTellHost?: "accept" | "decline";
};

/**
 * Returns a persona with the caller's changes.
 * @throws BallonetError `config` on any that makes no sense.
 */
export function makeSettings(input: SettingsInput = {}): DriverSettings {
  const { persona = "ballonet", mustTellHost, ...changes } = input;
  if (!Object.hasOwn(PERSONAS, persona)) {
    throw configError("persona", `"${persona}"`, `choose one of ${PERSONA_NAMES.join(", ")}`);
  }
  const base: DriverSettings = PERSONAS[persona];
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  for (const [name] of given) {
    if (!Object.hasOwn(base, name))
      throw configError("settings", `an unknown one, "${name}"`, "remove it");
  }
  const settings: DriverSettings = {
    ...base,
    ...Object.fromEntries(given),
    accept: acceptance(base.accept, mustTellHost),
  };
  checkSettings(settings);
  return settings;
}

function acceptance(accept: readonly number[], mustTellHost: "accept" | "decline" | undefined) {
  if (mustTellHost === undefined) return accept;
  const others = accept.filter((bit) => bit !== BALLOON_FEATURE.MUST_TELL_HOST);
  return mustTellHost === "accept" ? [BALLOON_FEATURE.MUST_TELL_HOST, ...others] : others;
}
