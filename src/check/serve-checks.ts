/** Does for the guest what its checks ask of the host, by the hand of its machine. */
import { setTimeout } from "node:timers/promises";
import type { HostAnswer, HostRequest } from "../../runtime/abi.ts";
import type { BalloonStatistics, StatisticName } from "../vmm/index.ts";
import type { CheckedMachine, HostHand } from "./hosts/host.ts";

const ASK_MS = 1_200;

/** Statistics in the order of their tags (virtio 1.3, 5.5.6.4). */
const BY_TAG: readonly StatisticName[] = [
  ...(["swapIn", "swapOut", "majorFaults", "minorFaults", "freeMemory", "totalMemory"] as const),
  ...(["availableMemory", "diskCaches", "hugetlbAllocations", "hugetlbFailures"] as const),
];

/** Serves what the guest asks for until its machine ends. */
export function serveChecks({ control, hand = {} }: CheckedMachine): void {
  if (control === undefined) return;
  const serve = async () => {
    for await (const { name, value } of control.notifications()) {
      if (name !== "check") continue;
      // The shape is that of this package's own guest.
      const answer = await answerOf(hand, value as unknown as HostRequest).catch(() => undefined);
      const tags = answer?.tags;
      const params = answer === undefined ? {} : { answer: tags === undefined ? {} : { tags } };
      await control.request({ method: "answer", params });
    }
  };
  // A machine that ends in the middle of a question ends the loop; `ended` says how.
  serve().catch(() => undefined);
}

/** Does one thing that a check asks for. Undefined: this host cannot. */
async function answerOf(hand: HostHand, request: HostRequest): Promise<HostAnswer | undefined> {
  switch (request.do) {
    case "target":
      if (!hand.setTarget || request.pages % (hand.targetUnitPages ?? 1) !== 0) return undefined;
      await hand.setTarget(request.pages);
      return {};
    case "ask-statistics":
      if (!hand.statistics) return undefined;
      // What comes, and whether it comes, is the check's to see.
      hand.statistics({ fresh: true }).catch(() => undefined);
      await setTimeout(hand.askMs ?? ASK_MS);
      return {};
    case "statistics":
      if (!hand.statistics) return undefined;
      return { tags: byTag((await hand.statistics({ fresh: false })).tags) };
    case "hint":
      if (!hand.hint) return undefined;
      hand.hint().catch(() => undefined);
      return {};
    case "hint-done":
      return hand.hint ? {} : undefined;
  }
}

function byTag(tags: BalloonStatistics["tags"]): NonNullable<HostAnswer["tags"]> {
  const shown = BY_TAG.map((name, tag) => [tag, tags[name]] as const);
  return Object.fromEntries(
    shown.flatMap(([tag, value]) => (value === undefined ? [] : [[tag, `${value}`]])),
  );
}
