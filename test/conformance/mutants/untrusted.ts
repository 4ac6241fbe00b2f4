/** Mistakes in what protects a guest from a host that it does not trust. */
import type { Mutant } from "./mutant.ts";

const CONFIG = "runtime/balloon/config.ts";
const DRIVER = "runtime/balloon/driver.ts";
const HINTING = "runtime/balloon/free-page-hinting.ts";
const INPUTS = "runtime/balloon/policy-inputs.ts";
const MAKE = "runtime/balloon/make-settings.ts";
const PAGES = "assembly/queues/pages.ts";
const PLAN = "runtime/balloon/bring-up-plan.ts";
const POISON = "assembly/poison.ts";
const RANGES = "assembly/queues/ranges.ts";
const SETTINGS = "runtime/balloon/settings.ts";
const TURN = "runtime/balloon/turn.ts";

const ALL = "an untrusted host that asks for everything";
const OFFERS = "an untrusted host that offers everything";
const NEVER_ALONE = "an untrusted host that never leaves the guest alone";
const SILENT = "an untrusted host that never answers an inflate";
const CHANGING = "an untrusted host whose fields change with each read";
const DECLINED = 'freePageHinting: "decline", pageReporting: "decline"';
const TURNS = "if (allowedTurns.grant(1, now) === 0) return allowedTurns.lookAgainMs;";

export const untrustedMutants: readonly Mutant[] = [
  {
    id: "gives an untrusted host what it asks for",
    file: SETTINGS,
    find: "Math.floor((totalPages * targetSharePercent) / 100)",
    replace: "Math.floor(totalPages + 0 * targetSharePercent)",
    breaks: "B-SHARE",
    scenario: ALL,
  },
  {
    id: "hints beyond the host's share",
    file: TURN,
    find: "mostPages: Math.max(0, inputs.sharePages - pagesBound(view)),",
    replace: "mostPages: view.totalPages,",
    breaks: "B-SHARE",
    scenario: ALL,
  },
  {
    id: "inflates beside what it has hinted",
    file: INPUTS,
    find: 'isWhole ? this.totalPages : this.sharePages - framesIn(this.core, "hinted");',
    replace: "isWhole ? this.totalPages : this.sharePages;",
    breaks: "B-SHARE",
    scenario: CHANGING,
  },
  {
    id: "gives pages with the guest's bytes in them",
    file: PAGES,
    find: "scrub(first, length);\n  postFrames(",
    replace: "postFrames(",
    breaks: "B-SCRUB",
    scenario: "an untrusted host, pages given",
  },
  {
    id: "hints pages with the guest's bytes in them",
    file: RANGES,
    find: "scrub(first, length);",
    replace: "",
    breaks: "B-SCRUB",
    scenario: "an untrusted host, pages hinted",
  },
  {
    id: "reports pages with the guest's bytes in them",
    file: POISON,
    find: "if (poisoned || scrubsGiven) fill(first, length, poison);",
    replace: "if (poisoned) fill(first, length, poison);",
    breaks: "B-SCRUB",
    scenario: "an untrusted host, pages reported",
  },
  {
    id: "believes what the host says of reported pages",
    file: RANGES,
    find: "initialiseAgain(firstOf(run), lengthOf(run));",
    replace: "",
    breaks: "B-DISBELIEF",
    scenario: "an untrusted host, pages back from a report",
  },
  {
    id: "uses what an untrusted host left in pages",
    file: POISON,
    find: "if (poisoned || scrubsReturned) fill(first, length, poison);",
    replace: "if (poisoned) fill(first, length, poison);",
    breaks: "B-DISBELIEF",
    scenario: "an untrusted host, pages returned",
  },
  {
    id: "tells an untrusted host all that it knows",
    file: DRIVER,
    find: "statisticsEntries(isCoarse ? coarse(core, said) : said, settings)",
    replace: "statisticsEntries(isCoarse ? said : coarse(core, said), settings)",
    breaks: "B-STATS-COARSE",
    scenario: "an untrusted host that asks for statistics",
  },
  {
    id: "tells statistics that were declined",
    file: MAKE,
    find: "statistics: BALLOON_FEATURE.STATS_VQ,",
    replace: "statistics: 63,",
    breaks: "B-STATS-DECLINED",
    scenario: "an untrusted host that is told no statistics",
  },
  {
    id: "hints to an untrusted host without being asked to",
    file: MAKE,
    find: DECLINED,
    replace: 'pageReporting: "decline"',
    breaks: "B-UNASKED",
    scenario: OFFERS,
  },
  {
    id: "reports to an untrusted host without being asked to",
    file: MAKE,
    find: DECLINED,
    replace: 'freePageHinting: "decline"',
    and: [
      {
        file: PLAN,
        find: "return unwanted === 0n ? complete :",
        replace: "return true ? complete :",
      },
    ],
    breaks: "B-UNASKED",
    scenario: OFFERS,
  },
  {
    id: "accepts a declined feature for the sake of the next queue",
    file: PLAN,
    find: "return unwanted === 0n ? complete : withoutUntoldQueues(accept, offered);",
    replace: "return unwanted === -1n ? withoutUntoldQueues(accept, offered) : complete;",
    breaks: "B-UNASKED",
    scenario: OFFERS,
  },
  {
    id: "takes as many turns as its device likes",
    file: TURN,
    find: TURNS,
    replace: "",
    breaks: "B-COST",
    scenario: NEVER_ALONE,
  },
  {
    id: "moves pages to and fro as fast as its host likes",
    file: TURN,
    find: "allowedMoves.spend(posted);\n      inputs",
    replace: "inputs",
    and: [
      {
        file: TURN,
        find: "allowedMoves.spend(this.deflate(allowedMoves.grant(want, view.nowMs)));",
        replace: "this.deflate(want);",
      },
    ],
    breaks: "B-COST",
    scenario: NEVER_ALONE,
  },
  {
    id: "reads a target again after it was judged",
    file: CONFIG,
    find: "return { target, command };",
    replace: "return { target: transport.readConfig(BALLOON_CONFIG.numPages), command };",
    breaks: "B-READ-ONCE",
    scenario: CHANGING,
  },
  {
    id: "reads a hinting command again after it was judged",
    file: CONFIG,
    find: "return { target, command };",
    replace: "return { target, command: command && transport.readConfig(freePageHintCmdId) };",
    breaks: "B-READ-ONCE",
    scenario: CHANGING,
  },
  {
    id: "looks at what the device says of actual",
    file: CONFIG,
    find: "if (this.settings.actualReadBack) this.transport",
    replace: "this.transport",
    breaks: "B-READ-ONCE",
    scenario: CHANGING,
  },
  {
    id: "waits for DONE as long as the host likes",
    file: HINTING,
    find: "if (now - this.backSinceMs < DONE_WAIT_MS) return;",
    replace: "if (now - this.backSinceMs < Number.POSITIVE_INFINITY) return;",
    breaks: "B-WAIT-BOUND",
    scenario: "an untrusted host that never says DONE",
  },
  {
    id: "waits for an id of its own as long as the host likes",
    file: HINTING,
    find: "if (this.sameIdMs === undefined || now < this.sameIdMs + SAME_ID_WAIT_MS) return;",
    replace: "if (now < Number.POSITIVE_INFINITY) return;",
    breaks: "B-WAIT-BOUND",
    scenario: "an untrusted host that uses an id again",
  },
  {
    id: "waits for an inflate that is no longer wanted as long as the host likes",
    file: TURN,
    find: "if (view.inflatingPages > 0 && waitedMs >= INFLATEQ_RESET_MS)",
    replace: "if (view.inflatingPages > 0 && waitedMs >= Number.POSITIVE_INFINITY)",
    breaks: "B-WAIT-BOUND",
    scenario: SILENT,
  },
  {
    id: "takes an inflate back before the host could answer it",
    file: TURN,
    find: "if (view.inflatingPages > 0 && waitedMs >= INFLATEQ_RESET_MS)",
    replace: "if (view.inflatingPages > 0 && waitedMs >= 0)",
    breaks: "B-WAIT-BOUND",
    scenario: SILENT,
  },
  {
    id: "waits for the reset of a queue as long as the host likes",
    file: TURN,
    find: "if (!this.queues.awaitInflateqReset(view.nowMs, INFLATEQ_RESET_MS)) return false;",
    replace: "this.queues.awaitInflateqReset(view.nowMs, INFLATEQ_RESET_MS);",
    breaks: "B-WAIT-BOUND",
    scenario: SILENT,
  },
  {
    id: "stops as late as the device likes",
    file: DRIVER,
    find: "if (polls + 1 < STOP_POLLS_MAX) {",
    replace: "if (polls + 1 < Number.POSITIVE_INFINITY) {",
    breaks: "B-WAIT-BOUND",
    scenario: "an untrusted host whose reset never ends",
  },
];
