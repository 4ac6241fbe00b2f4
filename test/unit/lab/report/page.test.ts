/**
 * A comparison as a page: well-formed, all in one file, everything escaped, every cell with a
 * section, and pictures whose heights are the cell's.
 */
import { describe, expect, it } from "vitest";
import { comparisonPage } from "../../../../src/lab/report/page.ts";
import { timelineFigure } from "../../../../src/lab/report/timeline-svg.ts";
import { nestingFault } from "../../../support/html.ts";
import { comparisonOf, losing, madeUp, moving, refused } from "../cells.ts";

const cells = [madeUp(), losing(), refused()];
const page = comparisonPage(comparisonOf(...cells));

describe("the page", () => {
  it("is well-formed", () => {
    expect(nestingFault(page)).toBe("");
    // The check itself finds what is wrong.
    expect(nestingFault("<p><b></p></b>")).toBe("at </p>");
    expect(nestingFault("<p a=b></p>")).toBe("in <p a=b>");
    expect(nestingFault("<p>a < b</p>")).not.toBe("");
  });

  it("needs nothing but itself: no network, no script", () => {
    expect(page).not.toMatch(/https?:|\/\/|<script|<link|<img|@import|\bsrc=|\bon\w+=/);
    const references = [...page.matchAll(/url\(([^)]*)\)|href="([^"]*)"/g)];
    expect(references.length).toBeGreaterThan(0);
    for (const [, url, href] of references) {
      const name = (url ?? href ?? "").replace(/^#/, "");
      expect(url ?? href).toBe(`#${name}`);
      expect(page.split(`id="${name}"`), name).toHaveLength(2);
    }
  });

  it("escapes what comes from elsewhere", () => {
    for (const text of ["<wants>", '"of" <a>', "end & more"]) {
      expect(page).not.toContain(text);
    }
    expect(page).toContain("the host &#60;wants&#62; pages");
    expect(page).toContain("#7 touch &#34;of&#34; &#60;a&#62; page &#38; more");
  });

  it("leads from each cell of the matrix to a section with its facts, faults and reasons", () => {
    for (const { name } of cells) expect(page).toContain(`<a href="#${name}">`);
    const start = page.indexOf('<article id="windows/locked-always">');
    const section = page.slice(page.lastIndexOf("<details>", start));
    for (const text of [
      "✗ 1,004 lost",
      "<summary>1,007 pages used early, 1,006 faults: the first 1</summary>",
      "<td>0x2a</td><td>deflating</td><td>yes</td><td>lost</td>",
      "wrote to pages that the host had unlocked",
      "<dt>faults</dt><dd>1,006</dd>",
      "<dd>D1, SHOULD (5.5.3.1), 1 time: MUST_TELL_HOST is accepted when it is offered",
    ]) {
      expect(section.slice(0, section.indexOf("</article>"))).toContain(text);
    }
  });

  it("is short until a section is opened", () => {
    expect(page).not.toMatch(/<details[^>]* open/);
    // A link to a section opens it when the section is inside of what is closed.
    const closed = page.slice(page.indexOf("<details"), page.lastIndexOf("</details>"));
    expect(closed.split("<article ")).toHaveLength(1 + cells.length);
  });

  it("says without colours what colours say", () => {
    for (const words of ["✓ 2,001 unlocked", "✗ 1,004 lost", "⊘ no balloon"]) {
      expect(page).toContain(`<b>${words}</b>`);
    }
  });

  it("has a matrix of its own for guests that are migrated", () => {
    const moved = moving({ worked: false, error: "no", bits: ["STATS_VQ"], renegotiated: false });
    const both = comparisonPage(comparisonOf(...cells, moved));
    expect([page, both].map((it) => it.split('class="matrix"').length)).toEqual([2, 3]);
    expect(both).toContain("<small>not taken, tells first</small>");
    expect(nestingFault(both)).toBe("");
  });

  it("leaves a place empty for a pair that was not run", () => {
    const holes = comparisonPage(comparisonOf(madeUp(), losing()));
    expect(holes.match(/<td><\/td>/g)).toHaveLength(3);
  });
});

describe("a timeline", () => {
  const figure = timelineFigure(madeUp(), "a & b");
  const heights = (name: string) => {
    const path = new RegExp(`<path class="${name}" d="M([^"]*)"`).exec(figure)?.[1] ?? "";
    return [...path.matchAll(/(?:^[\d.]+ |V)([\d.]+)H/g)].map(([, y]) => Number(y));
  };
  const axis = [...figure.matchAll(/class="grid" d="M[\d.]+ ([\d.]+)H/g)].map(([, y]) => Number(y));
  const axisLeft = /class="grid" d="M([\d.]+) /.exec(figure)?.[1];
  const [zero = 0, , full = 0] = axis;
  const pages = (y: number) => Math.round((5000 * (zero - y)) / (zero - full));

  it("has lines and layers as high as the counts of pages", () => {
    expect(heights("line locked").map(pages)).toEqual([5000, 4000, 4000]);
    // The tops from the left, then back along the ground. The lower layers cover the higher ones.
    expect(heights("held").map(pages)).toEqual([0, 500, 1000, 0]);
    expect(heights("deflating").map(pages)).toEqual([0, 500, 1250, 0]);
    expect(heights("inflating").map(pages)).toEqual([0, 1500, 1250, 0]);
    const drawn = ["inflating", "deflating", "held"].map((name) =>
      figure.indexOf(`<path class="${name}" d="M${axisLeft} `),
    );
    expect(drawn).toEqual([...drawn].sort((a, b) => a - b));
  });

  it("numbers its marks, those of one place together, and says what they are", () => {
    const numbers = [...figure.matchAll(/class="number"[^>]*>([^<]*)</g)].map(([, text]) => text);
    expect(numbers).toEqual(["1", "2, 3"]);
    expect(figure).toContain("<li>the host &#60;wants&#62; pages</li>");
    expect(figure).toContain('aria-label="a &#38; b"');
  });

  it("names in its legend what is to be seen, and nothing else", () => {
    expect(figure).toContain(">held by the host</li>");
    expect(figure).not.toContain("lost, in all");
    expect(timelineFigure(losing({ timeline: [] }), "").includes("held by the host")).toBe(false);
  });
});
