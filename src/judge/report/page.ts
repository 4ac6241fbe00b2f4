/**
 * A report as one HTML page without network or script: how it ended, each broken rule with what
 * shows it, and each scenario. Traces are folded until they are asked for.
 */
import type { FoldedVerdict } from "../../device/index.ts";
import { escaped } from "../../text/markup.ts";
import { factList, htmlPage } from "../../text/page.ts";
import { counted, formatCount } from "../../text/units.ts";
import type { Baseline, Difference, JudgeReport, ScenarioResult } from "../judge-report.ts";
import { failsBy, reportPasses, resultPasses } from "./baseline.ts";
import { PAGE_STYLE } from "./page-style.ts";
import { settingsIn } from "./settings.ts";
import { type BrokenRule, sumUp, unitOf, worstFirst } from "./sums.ts";

/** Returns the HTML page of a report. */
export function reportPage(report: JudgeReport): string {
  const { driver, results, baseline } = report;
  const broken = worstFirst(results);
  const rules = broken.map((rule) => ruleCard(rule, broken)).join("\n");
  const unit = unitOf(report);
  const seenBy = unit === "check" ? "guest" : "device";
  const title = unit === "check" ? "Checks" : "Scenarios";
  const none = `<p>None. The ${seenBy} saw nothing that a rule speaks against.</p>`;
  const body = `${head(report)}
<main>${baseline === undefined ? "" : beside(baseline)}
<h2 id="rules">Broken rules <small>the worst first</small></h2>
${broken.length === 0 ? none : `<div class="cards">${rules}</div>`}
<h2 id="scenarios">${title} <small>in the order in which they ran</small></h2>
<ol class="scenarios">${results.map((result) => scenarioItem(report, result)).join("\n")}</ol>
</main>
<footer><p>Sections are those of virtio 1.3. MUST and MUST NOT are demanded, SHOULD is recommended;
FIELD is left open there, and devices in the field rely on it.</p></footer>`;
  const word = reportPasses(report) ? "passed" : "failed";
  return htmlPage({ title: `${driver}: ${word}`, style: PAGE_STYLE, body });
}

/** A class of the style sheet: how good or bad something is. */
type Tone = "good" | "bad" | "warn" | "calm";

function head(report: JudgeReport): string {
  const { driver, shard, results } = report;
  const unit = unitOf(report);
  const passes = reportPasses(report);
  const [tone, word] = passes ? (["good", "✓ passed"] as const) : (["bad", "✗ failed"] as const);
  const facts = [...settingsIn(report), ...(shard === null ? [] : [["shard", shard] as const])];
  const broken = worstFirst(results);
  const musts = broken.filter(({ level }) => isMust(level)).length;
  const ran = results.filter(({ outcome }) => outcome !== null);
  const failed = ran.filter((result) => !resultPasses(report, result)).length;
  const sums: readonly (readonly [number, string, Tone])[] = [
    [musts, "MUST and MUST NOT broken", musts > 0 ? "bad" : "good"],
    [broken.length - musts, "other rules broken", broken.length > musts ? "warn" : "good"],
    [failed, `${unit}s failed`, failed > 0 ? "bad" : "good"],
    [ran.length, `${unit}s ran`, "calm"],
    [results.length - ran.length, "left out", "calm"],
  ];
  const tiles = sums.map(
    ([count, text, how]) => `<li class="${how}"><b>${formatCount(count)}</b>${text}</li>`,
  );
  const spaced = facts.map(([name, value]) => [name, value.replaceAll(",", ", ")] as const);
  return `<header class="${tone}"><span class="badge">${word}</span>
<h1>${escaped(driver)}</h1>
<p>${escaped(sumUp(report))}</p>
<ul class="sums">${tiles.join("")}</ul>
${factList(spaced)}</header>`;
}

function beside({ file, driver, unequal, appeared, gone }: Baseline): string {
  const item = (tone: Tone, word: string, html: string) =>
    `<li class="${tone}"><b>${word}</b>${html}</li>`;
  const difference = ({ rule, level, scenario, seen }: Difference) => {
    const what = rule === null ? "outcome" : `${rule} (${level})`;
    return `${escaped(what)} in ${scenarioLink(scenario)}: ${escaped(seen)}`;
  };
  const items = [
    ...unequal.map((text) => item("warn", "≠ unequal", escaped(text))),
    ...appeared.map((one) => {
      return item(failsBy(one) ? "bad" : "warn", "✗ new", difference(one));
    }),
    ...gone.map((one) => item("good", "✓ gone", difference(one))),
  ];
  const nothing = "<p>Nothing is new, and nothing is gone.</p>";
  const isEqual = appeared.length + gone.length === 0;
  return `<h2 id="baseline">Beside an earlier report</h2>
<div class="beside"><p>${escaped(driver)}, in ${escaped(file)}. Only what is new fails.</p>
${isEqual ? nothing : ""}<ul class="differences">${items.join("\n")}</ul></div>`;
}

function ruleCard(finding: BrokenRule, all: readonly BrokenRule[]): string {
  const { rule, level, section, title, count, pages, seen, cause, lines, scenarios } = finding;
  const tone: Tone = isMust(level) ? "bad" : level === "FIELD" ? "calm" : "warn";
  const cited = /^\d/.test(section) ? `virtio 1.3, ${section}` : section;
  const isShown = all.some((one) => one.rule === cause);
  const follows = isShown ? link(`rule-${cause}`, cause ?? "") : escaped(cause ?? "");
  const facts: readonly (readonly [string, string])[] = [
    ["seen", `<span class="seen">${escaped(seen)}</span>`],
    ["how often", count === 1 ? "once" : `${formatCount(count)} times`],
    ["in", scenarios.map(scenarioLink).join(", ")],
    ...(pages ? [["pages", escaped(`${formatCount(pages.count)}: ${pages.ranges}`)] as const] : []),
    ...(cause === undefined ? [] : [["follows from", follows] as const]),
  ];
  const terms = facts.map(([term, html]) => `<div><dt>${term}</dt><dd>${html}</dd></div>`);
  return `<article class="${tone}" id="${escaped(`rule-${rule}`)}">
<h3>${escaped(rule)}</h3><span class="level">${escaped(level)}</span>
<span class="section">${escaped(cited)}</span>
<p>${escaped(title)}</p><dl>${terms.join("\n")}</dl>
${folded("trace", `of ${rule}`, lines)}</article>`;
}

function scenarioItem(report: JudgeReport, result: ScenarioResult): string {
  const { scenario, text, outcome, note, findings, lastSteps, tookMs } = result;
  const [tone, word] = wordFor(report, result);
  const rules = findings.map(({ rule, count }) => {
    return link(`rule-${rule}`, rule) + (count > 1 ? `&#160;x${formatCount(count)}` : "");
  });
  return `<li class="${tone}" id="${escaped(`scenario-${scenario}`)}">
<span class="outcome">${word}<small>${escaped(outcome ?? "")}</small></span>
<span class="what"><b>${escaped(scenario)}</b><small>${escaped(text)}</small></span>
<span class="rules">${rules.join(", ")}</span>
<span class="took">${(tookMs / 1000).toFixed(1)} s</span>
${note === null ? "" : `<p class="note">${escaped(note)}</p>`}
${folded("last steps", `of ${scenario}`, lastSteps)}</li>`;
}

function wordFor(report: JudgeReport, result: ScenarioResult): readonly [Tone, string] {
  if (result.outcome === null) return ["calm", "– left out"];
  if (!resultPasses(report, result)) return ["bad", "✗ failed"];
  return result.passed ? ["good", "✓ passed"] : ["warn", "✓ known"];
}

/** Lines that are folded; nothing where there are none. */
function folded(what: string, of: string, lines: readonly string[]): string {
  if (lines.length === 0) return "";
  const label = escaped(`${what} ${of}`);
  return `<details><summary>${what}, ${counted(lines.length, "line")}</summary>
<pre tabindex="0" role="region" aria-label="${label}">${escaped(lines.join("\n"))}</pre>
</details>`;
}

function link(id: string, text: string): string {
  return `<a href="#${escaped(encodeURIComponent(id))}">${escaped(text)}</a>`;
}

function scenarioLink(name: string): string {
  return link(`scenario-${name}`, name);
}

function isMust(level: FoldedVerdict["level"]): boolean {
  return level.startsWith("MUST");
}
