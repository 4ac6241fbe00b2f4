/**
 * A comparison as one HTML page without network or script: a table of drivers and hosts, the
 * findings, and a section for each cell, closed until it is asked for.
 */
import { hex } from "../../../runtime/abi.ts";
import { escaped } from "../../text/markup.ts";
import { elements, factList, htmlPage } from "../../text/page.ts";
import { counted, formatCount, yesOrNo } from "../../text/units.ts";
import { explainCell } from "../cell-explanations.ts";
import { situationName, situationText } from "../cell-names.ts";
import type { Comparison } from "../compare.ts";
import { type ComparedCell, locksMemory, moveOf, type Outcome, usedEarly } from "../outcome.ts";
import { QUESTION } from "../subject-descriptions.ts";
import { cellFacts, OUTCOMES } from "./facts.ts";
import { PAGE_STYLE } from "./page-style.ts";
import { PATTERNS, timelineFigure } from "./timeline-svg.ts";

/** How many harmless touches are shown: enough to see what they look like. */
const HARMLESS_SHOWN = 8;

function verdictOf(cell: ComparedCell): string {
  const words: Readonly<Record<Outcome, string>> = {
    gains: `${formatCount(cell.pages.unlocked)} unlocked`,
    nothing: locksMemory(cell) ? "none unlocked" : "none locked",
    lost: `${formatCount(cell.damagedFrames)} lost`,
    refused: "no balloon",
  };
  return `${OUTCOMES[cell.outcome].sign} ${words[cell.outcome]}`;
}

function matrix(title: string, cells: readonly ComparedCell[]): string {
  if (cells.length === 0) return "";
  const columns = [...new Set(cells.map(situationName))];
  const personas = [...new Set(cells.map(({ persona }) => persona))];
  const rows = personas.map((persona) => {
    const entries = columns.map((column) => {
      const cell = cells.find((one) => one.persona === persona && situationName(one) === column);
      return cell === undefined ? "<td></td>" : matrixCell(cell);
    });
    return `<tr><th scope="row">${escaped(persona)}</th>${entries.join("")}</tr>`;
  });
  return `<h2>${escaped(title)}</h2>
<div class="scroll"><table class="matrix">
<thead><tr><td></td>${elements("th", columns)}</tr></thead>
<tbody>${rows.join("\n")}</tbody></table></div>`;
}

function matrixCell(cell: ComparedCell): string {
  const words = [cell.refused === undefined ? cell.manner : `refused: ${cell.refused.code}`];
  if (cell.path !== "none") words.unshift(moveOf(cell));
  return (
    `<td class="${cell.outcome}"><a href="#${escaped(cell.name)}">` +
    `<b>${escaped(verdictOf(cell))}</b><small>${escaped(words.join(", "))}</small></a></td>`
  );
}

/** All faults that were kept, and the first of the touches that did no harm. */
function touchTable(cell: ComparedCell): string {
  const { list, faults } = cell.touches;
  if (list.length === 0) return "";
  const harmless = list.filter(({ unlocked }) => !unlocked).slice(0, HARMLESS_SHOWN);
  const shown = list.filter((touch) => touch.unlocked || harmless.includes(touch));
  const rows = shown.map(({ pfn, state, unlocked, lost, line }) => {
    const texts = [hex(pfn, 1), state, yesOrNo(unlocked), lost ? "lost" : "kept", line];
    return `<tr>${elements("td", texts)}</tr>`;
  });
  const title =
    `${counted(usedEarly(cell), "page")} used early, ${counted(faults, "fault")}: ` +
    `the first ${formatCount(shown.length)}`;
  return `<details><summary>${title}</summary><div class="scroll"><table>
<tr>${elements("th", ["page", "state", "unlocked", "data", "trace"])}</tr>
${rows.join("\n")}</table></div></details>`;
}

function section(cell: ComparedCell): string {
  const title = `${cell.persona} on ${situationName(cell)}`;
  return `<details><summary><b>${escaped(title)}</b>
<span class="${cell.outcome}">${escaped(verdictOf(cell))}</span></summary>
<article id="${escaped(cell.name)}">${elements("p", explainCell(cell))}
${timelineFigure(cell, `Pages of ${title}, step by step`)}
${factList(cellFacts(cell))}
${touchTable(cell)}</article></details>`;
}

function chapter(cells: readonly ComparedCell[]): string {
  const first = cells[0] as ComparedCell;
  return `<details class="chapter"><summary><h3>${escaped(situationName(first))}</h3>
${escaped(situationText(first))}</summary>
${cells.map(section).join("\n")}</details>`;
}

/** Returns the HTML page of a comparison with at least one cell. */
export function comparisonPage({ cells, findings }: Comparison): string {
  const columns = [...new Set(cells.map(situationName))];
  const signs = Object.values(OUTCOMES).map(({ sign, meaning }) => `${sign} ${meaning}`);
  const found = findings.map(({ outcome, text }) => {
    const sign = `<span class="${outcome}">${OUTCOMES[outcome].sign}</span>`;
    return `<li>${sign}${escaped(text)}</li>`;
  });
  const body = `${PATTERNS}<h1>${QUESTION}</h1>
<p>${counted(cells.length, "pair")} of a driver and a host, each run by the same script.</p>
<ul class="signs">${elements("li", signs)}</ul>
${matrix(
  "Where the guest stays on its host",
  cells.filter(({ path }) => path === "none"),
)}
${matrix(
  "Where the guest is migrated",
  cells.filter(({ path }) => path !== "none"),
)}
<h2>Found</h2><ul class="findings">${found.join("\n")}</ul>
<h2>Every pair</h2>
${columns.map((name) => chapter(cells.filter((cell) => situationName(cell) === name))).join("\n")}`;
  return htmlPage({ title: QUESTION, style: PAGE_STYLE, body });
}
