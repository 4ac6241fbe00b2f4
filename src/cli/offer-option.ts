/** The option --features: which features a device offers, where it differs from its profile. */

import { nearestName } from "../../runtime/abi.ts";
import type { Offer } from "../device/index.ts";
import { FailureError } from "../failure.ts";

type Feature = Exclude<keyof Offer, "extra">;

/** Features as they are typed. */
const FEATURES = {
  "must-tell-host": "mustTellHost",
  "stats-vq": "statsVq",
  "deflate-on-oom": "deflateOnOom",
  "free-page-hint": "freePageHint",
  "page-poison": "pagePoison",
  "page-reporting": "pageReporting",
  "notify-on-empty": "notifyOnEmpty",
  "event-idx": "eventIdx",
  indirect: "indirect",
  packed: "packed",
  "in-order": "inOrder",
  "notification-data": "notificationData",
  "notif-config-data": "notifConfigData",
  "access-platform": "accessPlatform",
  "order-platform": "orderPlatform",
  "ring-reset": "ringReset",
  "version-1": "version1",
} as const satisfies Readonly<Record<string, Feature>>;

/** The names, for the help. */
export const FEATURE_NAMES = Object.keys(FEATURES);

function isFeature(name: string): name is keyof typeof FEATURES {
  return Object.hasOwn(FEATURES, name);
}

/**
 * Returns what `page-reporting,-deflate-on-oom` offers and withholds.
 * @throws FailureError `usage` for a name that is none.
 */
export function parseFeatures(text: string): Offer {
  const words = text.split(",").filter((word) => word !== "");
  return Object.fromEntries(
    words.map((word) => {
      const name = word.replace(/^-/, "");
      if (isFeature(name)) return [FEATURES[name], !word.startsWith("-")];
      const nearest = nearestName(name, FEATURE_NAMES);
      throw new FailureError({
        kind: "usage",
        what: "option --features",
        seen: `"${word}"`,
        todo: `${nearest ? `did you mean ${nearest}? ` : ""}choose of ${FEATURE_NAMES.join(", ")}`,
      });
    }),
  );
}
