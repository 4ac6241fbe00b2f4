/**
 * Why a cell ended as it did, in sentences that cite the specification.
 *
 * The cell's facts and the host's design choose each sentence, never a persona's name: so what is
 * said of a driver is what it was seen to do.
 */
import { featureSet, formatFeatures } from "../../runtime/abi.ts";
import type { HostDesign } from "../device/host/host-design.ts";
import { rules } from "../device/index.ts";
import { counted, formatCount } from "../text/units.ts";
import { designOf } from "./cell-names.ts";
import { type ComparedCell, locksMemory, usedEarly } from "./outcome.ts";
import { migrationPaths } from "./paths.ts";

/** `virtio 1.3, 5.5.6.1`. */
export function cite(section: string): string {
  return `virtio 1.3, ${section}`;
}

/** A feature by its number. */
function bitName(bit: number): string {
  return formatFeatures(featureSet(bit));
}

/** Paragraphs: what was negotiated, what the host and the driver did, and what came of it. */
export function explainCell(cell: ComparedCell): readonly string[] {
  const design = designOf(cell.host);
  if (cell.refused !== undefined) return [refusal(cell, design)];
  const negotiation = [negotiated(cell, design)];
  const migration = migrated(cell, design);
  const isMovedFirst = migrationPaths[cell.path].when === "reading";
  return [
    ...(isMovedFirst ? [...migration, ...negotiation] : [...negotiation, ...migration]),
    host(cell, design),
    `${driver(cell)} ${result(cell)}`,
    ...verdicts(cell),
  ];
}

function refusal({ refused }: ComparedCell, { toldBy, refuses }: HostDesign): string {
  if (refused?.code !== "features" || !refuses) {
    return `The driver did not come up: ${refused?.message}`;
  }
  return (
    `The host offers ${bitName(toldBy)}, which a driver should accept (${cite("5.5.3.1")}). This ` +
    `driver did not, so the host clears FEATURES_OK, as it may (${cite("5.5.3.2")}; with a ` +
    "legacy driver it must not, 5.5.3.2.0.1). The driver tried other sets without the bit and " +
    "gave up. There is no balloon: the host gains nothing, and the guest loses nothing."
  );
}

const EARLY_IS_ALLOWED =
  "The driver may use pages before the host has acknowledged their deflate, and still has to " +
  `send every page through the deflate queue (${cite("5.5.6.1")}).`;

function negotiated(cell: ComparedCell, { toldBy, silentBy }: HostDesign): string {
  const bit = bitName(toldBy);
  const source = silentBy === undefined ? cite("5.5.3") : "an experiment, in no specification";
  if (cell.mustTellFirst) {
    return (
      `The host offered ${bit} (${source}) and the driver accepted it. The driver may use a page ` +
      `again only after the host has acknowledged its deflate (${cite("5.5.6.1")}).`
    );
  }
  if (cell.mayBeSilent && silentBy !== undefined) {
    return (
      `The driver did not promise to tell the host, and was granted ${bitName(silentBy)} ` +
      `(${source}). It may use pages again and never say so.`
    );
  }
  if (!cell.offered.includes(bit)) {
    return `The host does not offer ${bit}, so no driver can promise it. ${EARLY_IS_ALLOWED}`;
  }
  if (migrationPaths[cell.path].from === "without") {
    return (
      `The first host did not know ${bit}. The second one offers it, which changes nothing: the ` +
      `negotiated features stay until the next reset (${cite("3.1.1")}).`
    );
  }
  const should = silentBy === undefined ? `, which it should (${cite("5.5.3.1")})` : "";
  const declined = `The host offered ${bit} (${source}). The driver did not accept it${should}.`;
  return `${declined} ${EARLY_IS_ALLOWED}`;
}

/** What came of the migration, where there was to be one. */
function migrated({ path, migration }: ComparedCell, { toldBy }: HostDesign): readonly string[] {
  if (path === "none") return [];
  const { does, when, adoptOffer } = migrationPaths[path];
  const came = () => {
    if (migration === undefined) return "There was no such moment, so the guest stayed.";
    if (!migration.worked) {
      return (
        `The second host checks the negotiated features, finds ${migration.bits?.join(" ")}, ` +
        "which it lacks, and does not accept the guest, which goes on where it was: " +
        `"${migration.error}".`
      );
    }
    if (migration.renegotiated) {
      return (
        "Nothing was negotiated when the guest moved, so the second host found nothing wrong. " +
        `The driver accepted ${bitName(toldBy)}, which that host lacks, and FEATURES_OK did not ` +
        `stay set (${cite("3.1.1")}, step 6). So the driver read the features again and accepted ` +
        "those."
      );
    }
    if (adoptOffer) return "The driver finds the features that it has read, and nothing fails.";
    const kept = when === "reading" ? " It accepted no bit that the second host lacks." : "";
    return `It was taken, with its balloon and its negotiated features.${kept}`;
  };
  return [`${does} ${came()}`];
}

function host(cell: ComparedCell, { toldBy }: HostDesign): string {
  const { total, inflated, locked, unlocked } = cell.pages;
  const bit = bitName(toldBy);
  const stay = `${formatCount(locked)} of ${formatCount(total)} pages stay locked`;
  if (!locksMemory(cell)) {
    return (
      `The host locks no memory. It discards ${counted(inflated, "page")} at inflate. A page ` +
      "that the guest touches again comes back empty: the host need not be told. Until it has " +
      `acknowledged the inflate it may change a page (${cite("5.5.6.2")}).`
    );
  }
  if (!cell.mayUnlock) {
    return (
      `Without ${bit} the host does not learn in time that a page is used again. So it unlocks ` +
      `none of the ${formatCount(inflated)} inflated pages: ${stay}.`
    );
  }
  if (cell.mustTellFirst) {
    return (
      `With ${bit} the host may do with inflated pages as it likes until it has acknowledged ` +
      `their deflate (${cite("5.5.6.2")}). It unlocks ${formatCount(unlocked)}: ${stay}.`
    );
  }
  return (
    `The host unlocks ${counted(unlocked, "inflated page")}, though nobody promised that they ` +
    `are unused: without ${bit} they are the host's only until it has acknowledged the inflate ` +
    `(${cite("5.5.6.2")}). ${stay}.`
  );
}

function driver(cell: ComparedCell): string {
  const { takenBack, told } = cell.pages;
  const back = `The driver took ${counted(takenBack, "page")} back`;
  const early = counted(usedEarly(cell), "page");
  switch (cell.manner) {
    case "tells first": {
      const kept = cell.mustTellFirst ? "as it has to" : "though nothing made it";
      return `${back}. It told the host of each and used it after the host's answer, ${kept}.`;
    }
    case "tells late":
      return (
        `${back} and told the host of each, but ${early} were in use before the host had ` +
        "answered. " +
        (cell.mustTellFirst
          ? `It had promised not to do that (${cite("5.5.6.1")}).`
          : `Without the promise that is allowed (${cite("5.5.6.1")}).`)
      );
    case "never tells":
      return (
        `${back}, told the host of ${formatCount(told)} and used ${early}. ` +
        (cell.mayBeSilent
          ? "The experiment's bit grants that; no specification does."
          : "That is never allowed: every page must go through the deflate queue " +
            `(${cite("5.5.6.1")}).`)
      );
    case "took none back":
      return "The driver took no page back.";
  }
}

function result(cell: ComparedCell): string {
  const { touches, damagedFrames, outcome } = cell;
  const early = usedEarly(cell);
  if (outcome === "lost") {
    return (
      `So the guest wrote to ${counted(touches.faults, "page")} that the host had unlocked. The ` +
      `host took ${formatCount(touches.lost)} of them away, and what the guest had written in ` +
      `${counted(damagedFrames, "frame")} was lost.`
    );
  }
  if (touches.faults > 0) {
    return `The guest wrote to ${counted(touches.faults, "unlocked page")}; none was lost.`;
  }
  if (outcome === "gains") {
    return (
      "No page was used while it was unlocked: " +
      `${formatCount(cell.pages.unlocked)} could be taken away without harm.`
    );
  }
  if (early === 0) return "Nothing was used early, nothing was lost, and the host gained nothing.";
  const why = locksMemory(cell) ? "were locked all the time" : "were not taken away a second time";
  return `The ${counted(early, "page")} used early ${why}: nothing was lost, nothing was gained.`;
}

/** The sections about telling the host. */
const TELLING = ["5.5.3.1", "5.5.6.1"];

/** The statements about telling the host that the device saw broken. */
function verdicts({ verdicts: seen }: ComparedCell): string[] {
  const broken = seen.flatMap(({ rule, times }) => {
    const { level, section, title } = ruleOf(rule);
    if (level === "FIELD" || !TELLING.includes(section)) return [];
    return [`${rule}, ${level} (${cite(section)}), ${counted(times, "time")}: ${title}`];
  });
  return broken.length === 0 ? [] : [`The device's verdicts: ${broken.join(" ")}`];
}

/** The rule with an id that the device gave. */
export function ruleOf(id: string): (typeof rules)[number] {
  const rule = rules.find((one) => one.id === id);
  if (rule === undefined) throw new Error(`no rule ${id}`);
  return rule;
}
