/**
 * Why a cell ended as it did: sentences written by hand that cite the specification, each with what
 * a cell must show for it.
 *
 * No sentence is chosen by a persona's name, so what is said of a driver is what it was seen to do.
 */
import { designOf } from "./cell-names.ts";
import { type ComparedCell, locksMemory, moveOf, usedEarly } from "./outcome.ts";
import { migrationPaths } from "./paths.ts";

/** A sentence, and whether it is true of a cell. The first one of a table that is true is said. */
type Reason = readonly [isTrue: (cell: ComparedCell) => boolean, text: string];

const otherwise = (): boolean => true;
const isExperiment = ({ host }: ComparedCell): boolean => designOf(host).silentBy !== undefined;
const offersPromise = ({ offered }: ComparedCell): boolean =>
  offered.includes("MUST_TELL_HOST") || offered.includes("WILL_TELL_HOST");

const REFUSAL: readonly Reason[] = [
  [
    ({ host, refused }) => designOf(host).refuses && refused?.code === "features",
    "The host offers MUST_TELL_HOST, which a driver should accept (virtio 1.3, 5.5.3.1). This " +
      "driver did not, so the host clears FEATURES_OK, as it may (virtio 1.3, 5.5.3.2; with a " +
      "legacy driver it must not, 5.5.3.2.0.1). The driver tried other sets without the bit and " +
      "gave up. There is no balloon: the host gains nothing, and the guest loses nothing.",
  ],
  [otherwise, "The driver did not come up, so there is no balloon."],
];

const NEGOTIATION: readonly Reason[] = [
  [
    (cell) => cell.mustTellFirst && isExperiment(cell),
    "The driver accepted WILL_TELL_HOST (an experiment, in no specification). It may use a page " +
      "again only after the host has acknowledged its deflate.",
  ],
  [
    ({ mustTellFirst }) => mustTellFirst,
    "The host offered MUST_TELL_HOST (virtio 1.3, 5.5.3) and the driver accepted it. The driver " +
      "may use a page again only after the host has acknowledged its deflate (virtio 1.3, " +
      "5.5.6.1).",
  ],
  [
    ({ mayBeSilent }) => mayBeSilent,
    "The driver did not promise to tell the host, and was granted SILENT_DEFLATE (an experiment, " +
      "in no specification). It may use pages again and never say so.",
  ],
  [
    (cell) => !offersPromise(cell),
    "The host does not offer MUST_TELL_HOST, so no driver can promise to tell first. The driver " +
      "may use a page early, and still has to send it through the deflate queue (virtio 1.3, " +
      "5.5.6.1).",
  ],
  [
    ({ path }) => migrationPaths[path].from === "without",
    "The first host did not know the feature. The second one offers it, which changes nothing: " +
      "the negotiated features stay until the next reset (virtio 1.3, 3.1.1).",
  ],
  [
    isExperiment,
    "The host offered WILL_TELL_HOST (an experiment, in no specification), and the driver did " +
      "not accept it. The driver may use a page early, and still has to send it through the " +
      "deflate queue (virtio 1.3, 5.5.6.1).",
  ],
  [
    otherwise,
    "The host offered MUST_TELL_HOST (virtio 1.3, 5.5.3). The driver did not accept it, which it " +
      "should (virtio 1.3, 5.5.3.1). The driver may use a page early, and still has to send it " +
      "through the deflate queue (virtio 1.3, 5.5.6.1).",
  ],
];

const MIGRATION: readonly Reason[] = [
  [(cell) => moveOf(cell) === "stayed", "There was no such moment, so the guest stayed."],
  [
    (cell) => moveOf(cell) === "not taken",
    "The second host checks the negotiated features, finds one that it lacks, and does not " +
      "accept the guest, which goes on where it was.",
  ],
  [
    (cell) => moveOf(cell) === "renegotiated",
    "Nothing was negotiated when the guest moved, so the second host found nothing wrong. The " +
      "driver accepted a feature that this host lacks, and FEATURES_OK did not stay set (virtio " +
      "1.3, 3.1.1, step 6). So the driver read the features again and accepted those.",
  ],
  [
    ({ path }) => migrationPaths[path].adoptOffer,
    "The driver finds the features that it has read, and nothing fails.",
  ],
  [
    ({ path }) => migrationPaths[path].when === "reading",
    "The second host took the guest. The driver accepted no feature that this host lacks.",
  ],
  [otherwise, "The second host took the guest, with its balloon and its negotiated features."],
];

const HOST: readonly Reason[] = [
  [
    (cell) => !locksMemory(cell),
    "The host locks no memory and discards a page at inflate. A page that the guest touches " +
      "again comes back empty: the host need not be told. Until it has acknowledged the inflate " +
      "it may change a page (virtio 1.3, 5.5.6.2).",
  ],
  [
    ({ mayUnlock }) => !mayUnlock,
    "Without the promise the host does not learn in time that a page is used again. So it " +
      "unlocks none of the inflated pages.",
  ],
  [
    ({ mustTellFirst }) => mustTellFirst,
    "With the promise the host may do with inflated pages as it likes until it has acknowledged " +
      "their deflate (virtio 1.3, 5.5.6.2). So it unlocks them.",
  ],
  [
    otherwise,
    "The host unlocks inflated pages, though nobody promised that they are unused: without the " +
      "promise they are the host's only until it has acknowledged the inflate (virtio 1.3, " +
      "5.5.6.2).",
  ],
];

const DRIVER: readonly Reason[] = [
  [({ manner }) => manner === "took none back", "The driver took no page back."],
  [
    ({ manner, mustTellFirst }) => manner === "tells first" && mustTellFirst,
    "The driver told the host of each page and used it after the host's answer, as it has to.",
  ],
  [
    ({ manner }) => manner === "tells first",
    "The driver told the host of each page and used it after the host's answer, though nothing " +
      "made it.",
  ],
  [
    ({ manner, mustTellFirst }) => manner === "tells late" && mustTellFirst,
    "The driver told the host of each page, and used pages before the host had answered. It had " +
      "promised not to do that (virtio 1.3, 5.5.6.1).",
  ],
  [
    ({ manner }) => manner === "tells late",
    "The driver told the host of each page, and used pages before the host had answered. Without " +
      "the promise that is allowed (virtio 1.3, 5.5.6.1).",
  ],
  [
    ({ mayBeSilent }) => mayBeSilent,
    "The driver used pages and did not tell the host. The experiment's bit grants that; no " +
      "specification does.",
  ],
  [
    otherwise,
    "The driver used pages and did not tell the host. That is never allowed: every page must go " +
      "through the deflate queue (virtio 1.3, 5.5.6.1).",
  ],
];

const RESULT: readonly Reason[] = [
  [
    ({ outcome }) => outcome === "lost",
    "So the guest wrote to pages that the host had unlocked. The host took pages away, and what " +
      "the guest had written there was lost.",
  ],
  [({ touches }) => touches.faults > 0, "The guest wrote to unlocked pages; none was lost."],
  [
    ({ outcome }) => outcome === "gains",
    "No page was used while it was unlocked: all of them could be taken away without harm.",
  ],
  [
    (cell) => usedEarly(cell) === 0,
    "Nothing was used early, nothing was lost, and the host gained nothing.",
  ],
  [
    locksMemory,
    "The pages used early were locked all the time: nothing was lost, nothing was gained.",
  ],
  [
    otherwise,
    "The pages used early were not taken away a second time: nothing was lost, nothing was gained.",
  ],
];

/** Paragraphs: what was negotiated, what the host and the driver did, and what came of it. */
export function explainCell(cell: ComparedCell): readonly string[] {
  const said = (reasons: readonly Reason[]): string =>
    reasons.find(([isTrue]) => isTrue(cell))?.[1] ?? "";
  if (cell.refused !== undefined) return [said(REFUSAL)];
  const { does, when } = migrationPaths[cell.path];
  const negotiation = said(NEGOTIATION);
  const migration = cell.path === "none" ? [] : [`${does} ${said(MIGRATION)}`];
  return [
    ...(when === "reading" ? [...migration, negotiation] : [negotiation, ...migration]),
    said(HOST),
    `${said(DRIVER)} ${said(RESULT)}`,
  ];
}
