/**
 * Why a cell came out as it did, in sentences that cite the specification.
 *
 * It must not know any persona by name, nor run anything. Invariant: a sentence is chosen by the
 * cell's facts and the host's design, and every number in it is the cell's.
 */
import { featureSet, formatFeatures } from "../../runtime/abi.ts";
import type { HostDesign } from "../device/host/host-design.ts";
import { rules } from "../device/index.ts";
import { counted, formatCount } from "../text/units.ts";
import { designOf } from "./cell-names.ts";
import type { ComparedCell } from "./compare.ts";
import { locksMemory, usedEarly } from "./outcome.ts";
import { migrationPaths } from "./paths.ts";

/** `virtio 1.3, 5.5.6.1`. */
export function cite(section: string): string {
  return `virtio 1.3, ${section}`;
}

/** Paragraphs: the deal, what the host makes of it, what the driver does, what came of it. */
export function reasonsOf(cell: ComparedCell): readonly string[] {
  const design = designOf(cell.host);
  if (cell.refused !== undefined) return [refusal(cell, design)];
  const isMovedFirst = migrationPaths[cell.path].when === "reading";
  const moved = migration(cell, design);
  return [
    ...(isMovedFirst ? moved : []),
    deal(cell, design),
    ...(isMovedFirst ? [] : moved),
    host(cell, design),
    driver(cell),
    result(cell),
    ...verdicts(cell),
  ];
}

/** A feature by its number. */
export function bitName(bit: number): string {
  return formatFeatures(featureSet(bit));
}

/** The bit by which a driver promises to tell, with where it comes from. */
function promiseOf({ toldBy, silentBy }: HostDesign): { bit: string; source: string } {
  const source = silentBy === undefined ? cite("5.5.3") : "an experiment, in no specification";
  return { bit: bitName(toldBy), source };
}

function refusal({ refused }: ComparedCell, design: HostDesign): string {
  const { bit } = promiseOf(design);
  if (refused?.code === "features" && design.refuses) {
    return (
      `The host offers ${bit}, which a driver should accept (${cite("5.5.3.1")}). This one does ` +
      `not, so the host clears FEATURES_OK, as it may (${cite("5.5.3.2")}; not towards a legacy ` +
      "driver, 5.5.3.2.0.1). The driver tried other sets, none with the bit, and gave up: there " +
      "is no balloon, the host gains nothing and nobody is hurt."
    );
  }
  return `The driver did not come up: ${refused?.message}`;
}

function deal(cell: ComparedCell, design: HostDesign): string {
  const { bit, source } = promiseOf(design);
  if (cell.mustTellFirst) {
    return (
      `The host offered ${bit} (${source}) and the driver accepted it: it may use a page again ` +
      `only after the host has acknowledged its deflate (${cite("5.5.6.1")}).`
    );
  }
  const silent = design.silentBy === undefined ? undefined : bitName(design.silentBy);
  if (cell.mayBeSilent) {
    return (
      `The driver did not promise to tell, and was granted ${silent} (${source}): it may use ` +
      "pages again and never say so."
    );
  }
  if (!cell.offered.includes(bit)) {
    return (
      `The host does not offer ${bit}, so no driver can promise to tell first. This one may use ` +
      "pages before the host has acknowledged their deflate, and still has to send every page " +
      `through the deflate queue (${cite("5.5.6.1")}).`
    );
  }
  if (migrationPaths[cell.path].from === "without") {
    return (
      `When the features were settled the host did not know ${bit}. The one that the guest came ` +
      "to offers it, which changes nothing: what was negotiated holds until the next reset " +
      `(${cite("3.1.1")}).`
    );
  }
  const should = silent === undefined ? `, which it should (${cite("5.5.3.1")})` : "";
  return (
    `The host offered ${bit} (${source}) and the driver did not accept it${should}. It may use ` +
    "pages before the host has acknowledged their deflate, and still has to send every page " +
    `through the deflate queue (${cite("5.5.6.1")}).`
  );
}

/** What came of the way to another host. */
function migration({ path, migration: came }: ComparedCell, design: HostDesign): string[] {
  const { bit } = promiseOf(design);
  const { does, when, adoptOffer } = migrationPaths[path];
  if (path === "none") return [];
  if (came === undefined) return [`${does} There was no such moment, so the guest stayed.`];
  if (!came.worked) {
    return [
      `${does} The other host looks at what was negotiated, finds ${came.bits?.join(" ")}, which ` +
        `it lacks, and does not take the guest, which goes on where it was: "${came.error}".`,
    ];
  }
  if (came.renegotiated) {
    return [
      `${does} Nothing was negotiated when the guest moved, so no check of the host's found ` +
        `anything. The driver accepted ${bit}, which the second host lacks, and that host did ` +
        `not keep FEATURES_OK (${cite("3.1.1")}, step 6): the driver read the features again and ` +
        "accepted what is there.",
    ];
  }
  if (adoptOffer) {
    return [`${does} The driver finds the features that it has read, and nothing fails.`];
  }
  const kept =
    when === "reading" ? "It had not counted on any bit that the second host lacks." : "";
  return [`${does} It was taken, with its balloon and what was negotiated. ${kept}`.trimEnd()];
}

function host(cell: ComparedCell, design: HostDesign): string {
  const { total, inflated, locked, unlocked } = cell.pages;
  const { bit } = promiseOf(design);
  const stay = `${formatCount(locked)} of ${formatCount(total)} pages stay locked`;
  if (!locksMemory(cell)) {
    return (
      `The host locks no memory. It discards ${counted(inflated, "page")} at inflate, and a page ` +
      "that is touched again simply comes back, empty: who tells it when makes no difference to " +
      `it. Until it has acknowledged the inflate it may change a page (${cite("5.5.6.2")}).`
    );
  }
  if (!cell.mayUnlock) {
    return (
      `Without ${bit} the host cannot know when a page is in use again before it is, so it ` +
      `unlocks none of the ${formatCount(inflated)} inflated pages: ${stay}.`
    );
  }
  if (cell.mustTellFirst) {
    return (
      `With ${bit} the host may do with inflated pages as it likes until it has acknowledged ` +
      `their deflate (${cite("5.5.6.2")}). It unlocks ${formatCount(unlocked)}: ${stay}.`
    );
  }
  return (
    `The host unlocks ${counted(unlocked, "inflated page")} all the same, though nobody promised ` +
    `that they are not in use: without ${bit}, they are its own only until it has acknowledged ` +
    `the inflate (${cite("5.5.6.2")}). ${stay}.`
  );
}

function driver(cell: ComparedCell): string {
  const { takenBack, told } = cell.pages;
  const back = counted(takenBack, "page");
  const early = counted(usedEarly(cell), "page");
  switch (cell.manner) {
    case "tells first": {
      const kept = cell.mustTellFirst ? "as it has to" : "though nothing made it";
      return (
        `The driver took ${back} back. It told the host of each, waited for the answer and used ` +
        `them then, ${kept}.`
      );
    }
    case "tells late":
      return (
        `The driver took ${back} back and told the host of each, but ${early} were in use before ` +
        `the host had answered. ${rightToUse(cell)}`
      );
    case "never tells":
      return (
        `The driver took ${back} back, told the host of ${formatCount(told)} and used ${early}. ` +
        rightToSilence(cell)
      );
    case "took none back":
      return "The driver took no page back.";
  }
}

function rightToUse({ mustTellFirst }: ComparedCell): string {
  return mustTellFirst
    ? `It had promised not to do that (${cite("5.5.6.1")}).`
    : `Without the promise that is allowed (${cite("5.5.6.1")}).`;
}

function rightToSilence({ mayBeSilent }: ComparedCell): string {
  return mayBeSilent
    ? "The experiment's bit grants that; no specification does."
    : `That is never allowed: the deflate queue must be used for every page (${cite("5.5.6.1")}).`;
}

function result(cell: ComparedCell): string {
  const { touches, damagedFrames, pages } = cell;
  const early = usedEarly(cell);
  if (cell.outcome === "lost") {
    return (
      `So the guest wrote to ${counted(touches.faults, "page")} that the host had unlocked, the ` +
      `host took ${formatCount(touches.lost)} of them away, and in ` +
      `${counted(damagedFrames, "frame")} what the guest had written was gone.`
    );
  }
  if (touches.faults > 0) {
    return `The guest wrote to ${counted(touches.faults, "unlocked page")}; none was lost.`;
  }
  if (cell.outcome === "gains") {
    return (
      `No page was used while it was unlocked: ${formatCount(pages.unlocked)} could be taken ` +
      "away without harm. That is what the promise is worth."
    );
  }
  if (early === 0) return "Nothing was used early, nothing was lost, and the host gained nothing.";
  const why = locksMemory(cell) ? "were locked all the time" : "were not taken away a second time";
  return `The ${counted(early, "page")} used early ${why}: nothing was lost, nothing was gained.`;
}

/** Where the specification speaks of telling. */
const TELLING = ["5.5.3.1", "5.5.6.1"];

/** The statements about telling that the device saw broken. */
function verdicts({ verdicts: seen }: ComparedCell): string[] {
  const broken = seen.flatMap(({ rule, times }) => {
    const { level, section, title } = ruleOf(rule);
    if (level === "FIELD" || !TELLING.includes(section)) return [];
    return [`${rule}, ${level} (${cite(section)}), ${counted(times, "time")}: ${title}`];
  });
  return broken.length === 0 ? [] : [`The device's verdicts: ${broken.join(" ")}`];
}

/** The rule of an id that the device gave. */
export function ruleOf(id: string): (typeof rules)[number] {
  const rule = rules.find((one) => one.id === id);
  if (rule === undefined) throw new Error(`no rule ${id}`);
  return rule;
}
