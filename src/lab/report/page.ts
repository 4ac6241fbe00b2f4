/**
 * A comparison as one HTML page without network or script: a table of drivers and hosts, the
 * findings, and a section for each cell. All text goes through `escaped`.
 */
import { hex } from "../../../runtime/abi.ts";
import { escaped } from "../../text/markup.ts";
import { counted, formatCount, yesOrNo } from "../../text/units.ts";
import type { CellTouch } from "../cell.ts";
import { explainCell, ruleOf } from "../cell-explanations.ts";
import { situationName, situationText } from "../cell-names.ts";
import type { Comparison } from "../compare.ts";
import { type ComparedCell, locksMemory, moveOf, type Outcome, usedEarly } from "../outcome.ts";
import { QUESTION } from "../subject-descriptions.ts";
import { PAGE_STYLE } from "./page-style.ts";
import { PATTERNS, timelineFigure } from "./timeline-svg.ts";

const SIGNS: Readonly<Record<Outcome, string>> = {
  gains: "✓",
  nothing: "–",
  lost: "✗",
  refused: "⊘",
};

/** How many harmless touches are shown: enough to see what they look like. */
const HARMLESS_SHOWN = 8;

function verdictOf(cell: ComparedCell): string {
  const words: Readonly<Record<Outcome, string>> = {
    gains: `${formatCount(cell.pages.unlocked)} unlocked`,
    nothing: locksMemory(cell) ? "none unlocked" : "none locked",
    lost: `${formatCount(cell.damagedFrames)} lost`,
    refused: "no balloon",
  };
  return `${SIGNS[cell.outcome]} ${words[cell.outcome]}`;
}

function matrix(title: string, cells: readonly ComparedCell[]): string {
  if (cells.length === 0) return "";
  const columns = [...new Set(cells.map(situationName))];
  const personas = [...new Set(cells.map(({ persona }) => persona))];
  const head = columns.map((name) => `<th scope="col">${escaped(name)}</th>`).join("");
  const rows = personas.map((persona) => {
    const entries = columns.map((column) => {
      const cell = cells.find((one) => one.persona === persona && situationName(one) === column);
      return cell === undefined ? "<td></td>" : matrixCell(cell);
    });
    return `<tr><th scope="row">${escaped(persona)}</th>${entries.join("")}</tr>`;
  });
  return (
    `<div class="scroll"><table class="matrix">\n<caption>${escaped(title)}</caption>\n` +
    `<thead><tr><td></td>${head}</tr></thead>\n<tbody>\n${rows.join("\n")}\n</tbody></table></div>`
  );
}

function matrixCell(cell: ComparedCell): string {
  const words = [cell.refused === undefined ? cell.manner : `refused: ${cell.refused.code}`];
  if (cell.path !== "none") words.unshift(moveOf(cell));
  return (
    `<td class="${cell.outcome}"><a href="#${escaped(cell.name)}">` +
    `<b>${escaped(verdictOf(cell))}</b><small>${escaped(words.join(", "))}</small></a></td>`
  );
}

function findingsList({ findings }: Comparison): string {
  const items = findings.map(
    ({ outcome, text }) =>
      `<li class="${outcome}"><span>${SIGNS[outcome]}</span>${escaped(text)}</li>`,
  );
  return `<ul class="findings">\n${items.join("\n")}\n</ul>`;
}

function facts(cell: ComparedCell): string {
  const { pages, touches, negotiated, offered } = cell;
  const wide: readonly (readonly [string, string])[] = [
    ["offered", offered.join(" ") || "nothing"],
    ["negotiated", negotiated.join(" ") || "nothing"],
  ];
  const narrow: readonly (readonly [string, string])[] = [
    ["must tell first", yesOrNo(cell.mustTellFirst)],
    ["may be silent", yesOrNo(cell.mayBeSilent)],
    ["may munlock", yesOrNo(cell.mayUnlock)],
    ["locked when inflated", `${formatCount(pages.locked)} of ${formatCount(pages.total)} pages`],
    ["inflated, unlocked", `${formatCount(pages.inflated)}, ${formatCount(pages.unlocked)}`],
    ["taken back, told", `${formatCount(pages.takenBack)}, ${formatCount(pages.told)}`],
    ["used untold", formatCount(touches.untold)],
    ["used before the answer", formatCount(touches.unanswered)],
    ["faults", formatCount(touches.faults)],
    ["frames lost", formatCount(cell.damagedFrames)],
    ["migration", moveOf(cell)],
  ];
  const entry = (kind: string, [term, text]: readonly [string, string]): string =>
    `<div${kind}><dt>${escaped(term)}</dt><dd>${escaped(text)}</dd></div>`;
  return [
    "<dl>",
    ...wide.map((one) => entry(' class="wide"', one)),
    ...narrow.map((one) => entry("", one)),
    "</dl>",
  ].join("\n");
}

function touchRow({ pfn, state, lost, line }: CellTouch): string {
  const cells = [hex(pfn, 1), state, lost ? "lost" : "kept"];
  const tds = cells.map((text) => `<td>${escaped(text)}</td>`).join("");
  return `<tr>${tds}<td class="trace">${escaped(line)}</td></tr>`;
}

function touchTable(title: string, touches: readonly CellTouch[]): string {
  if (touches.length === 0) return "";
  const head = ["page", "state", "data", "trace"].map((name) => `<th>${name}</th>`).join("");
  return [
    `<details><summary>${escaped(title)}</summary><div class="scroll"><table>`,
    `<tr>${head}</tr>`,
    ...touches.map(touchRow),
    "</table></div></details>",
  ].join("\n");
}

function touchTables({ touches }: ComparedCell): string {
  const faults = touches.list.filter(({ unlocked }) => unlocked);
  const harmless = touches.list.filter(({ unlocked }) => !unlocked).slice(0, HARMLESS_SHOWN);
  const of = (shown: number, all: number): string =>
    shown === all ? "" : `, the first ${formatCount(shown)}`;
  const early = touches.untold + touches.unanswered - touches.faults;
  return [
    touchTable(`${counted(touches.faults, "fault")}${of(faults.length, touches.faults)}`, faults),
    touchTable(
      `${counted(early, "page")} used early and not unlocked${of(harmless.length, early)}`,
      harmless,
    ),
  ].join("");
}

function verdictTable({ verdicts }: ComparedCell): string {
  if (verdicts.length === 0) return "";
  const rows = verdicts.map(({ rule, times }) => {
    const { level, section, title } = ruleOf(rule);
    const texts = [rule, level, section, formatCount(times), title];
    return `<tr>${texts.map((text) => `<td>${escaped(text)}</td>`).join("")}</tr>`;
  });
  const summary = `${counted(verdicts.length, "rule")} broken, as the device judges it`;
  return `<details><summary>${summary}</summary><table>\n${rows.join("\n")}\n</table></details>`;
}

function section(cell: ComparedCell): string {
  const { name, persona, outcome } = cell;
  const title = `${persona} on ${situationName(cell)}`;
  const early = usedEarly(cell);
  const label =
    `Pages of ${title}: ${counted(cell.pages.inflated, "page")} inflated, ` +
    `${formatCount(cell.pages.locked)} locked then, ${formatCount(early)} used early, ` +
    `${formatCount(cell.damagedFrames)} lost`;
  return [
    `<article id="${escaped(name)}">`,
    `<header><h3>${escaped(title)}</h3>`,
    `<span class="badge ${outcome}">${escaped(verdictOf(cell))}</span></header>`,
    facts(cell),
    timelineFigure(cell, label),
    ...explainCell(cell).map((text) => `<p>${escaped(text)}</p>`),
    touchTables(cell),
    verdictTable(cell),
    "</article>",
  ].join("\n");
}

function chapter(cells: readonly ComparedCell[]): string {
  const first = cells[0] as ComparedCell;
  return [
    `<h2>${escaped(situationName(first))}</h2>`,
    `<p class="soft">${escaped(situationText(first))}</p>`,
    ...cells.map(section),
  ].join("\n");
}

/** Returns the HTML page of a comparison with at least one cell. */
export function comparisonPage(comparison: Comparison): string {
  const { cells } = comparison;
  const columns = [...new Set(cells.map(situationName))];
  return [
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${QUESTION}</title>\n<style>${PAGE_STYLE}</style>\n</head>\n<body>`,
    PATTERNS,
    `<h1>${QUESTION}</h1>`,
    `<p class="soft">${counted(cells.length, "pair")} of a driver and a host, `,
    "each run by the same script. ✓ the host may take memory away and the guest loses nothing, ",
    "– it may not, ✗ the guest's data was lost, ⊘ no balloon.</p>",
    matrix(
      "Where the guest stays on its host",
      cells.filter(({ path }) => path === "none"),
    ),
    matrix(
      "Where the guest is migrated",
      cells.filter(({ path }) => path !== "none"),
    ),
    "<h2>Found</h2>",
    findingsList(comparison),
    ...columns.map((column) => chapter(cells.filter((cell) => situationName(cell) === column))),
    "</body>\n</html>\n",
  ].join("\n");
}
