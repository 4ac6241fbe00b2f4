/** A report as a page: one well-formed file, in which everything is linked, folded and escaped. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { reportLines, withBaseline } from "../../../src/judge/index.ts";
import { nestingFault } from "../../support/html.ts";
import { REPORT } from "./report.ts";

const pageOf = (report: Parameters<typeof reportLines>[0]) =>
  `${reportLines(report, "html").join("\n")}\n`;

const page = pageOf(REPORT);
const beside = pageOf(withBaseline(REPORT, { ...REPORT, results: [], profile: "<q>" }, "a&b.json"));

/** Luminance by WCAG 2, of a colour as the style sheet has it. */
function luminance(colour: string): number {
  const digits = colour.length === 4 ? [...colour.slice(1)].map((digit) => digit + digit) : [];
  const parts = digits.length > 0 ? digits : (colour.slice(1).match(/../g) ?? []);
  const [red = 0, green = 0, blue = 0] = parts.map((part) => {
    const share = Number.parseInt(part, 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

describe("the page of a report", () => {
  it.each([page, beside])("is well-formed", (text) => {
    expect(nestingFault(text)).toBe("");
  });

  it("needs no network and no script, and forbids both by a policy that fits its style", () => {
    expect(page).not.toMatch(
      /https?:|\/\/|<script|<link|<img|@import|url\(|\bsrc=|\bon\w+=|style=/,
    );
    const style = /<style>([\s\S]*)<\/style>/.exec(page)?.[1] ?? "";
    const [, policy = "", hash = ""] =
      /content="(default-src 'none';[^"]*'sha256-([^']*)'.*?)"/.exec(page) ?? [];
    expect(policy).not.toContain("unsafe");
    const inUrls = createHash("sha256").update(style).digest("base64url");
    expect(hash).toBe(`${inUrls}=`);
  });

  it("leads by each link to one place in it", () => {
    for (const text of [page, beside]) {
      const targets = [...text.matchAll(/href="#([^"]*)"/g)].map(([, name]) => name);
      expect(targets.length).toBeGreaterThan(4);
      for (const target of targets) expect(text.split(`id="${target}"`), target).toHaveLength(2);
    }
  });

  it("says how it ended, and of each rule its level, section, evidence, cause and trace", () => {
    expect(page).toContain("<title>a &#60;driver&#62;: failed</title>");
    const start = page.indexOf('<article class="bad" id="rule-D12">');
    const card = page.slice(start, page.indexOf("</article>", start));
    for (const text of [
      ...["MUST NOT", "virtio 1.3, 5.5.6.1", "No page is used before", "page 1124", "501 times"],
      ...['<a href="#scenario-targets">', "500: 1124 to 1623", "Q-BUFFER-CAP", "trace, 1 line"],
      "#7 0.1ms queue inflateq take",
    ]) {
      expect(card).toContain(text);
    }
    expect(page.indexOf('id="rule-D12"')).toBeLessThan(page.indexOf('id="rule-D4"'));
    expect(page).toContain('class="warn" id="rule-D4"');
  });

  it("lists each scenario with its outcome, rules, note and last steps", () => {
    const items = page.split("<li ").slice(-3);
    expect(items[0]).toMatch(/class="bad" id="scenario-targets">\n.*✗ failed<small>up</);
    expect(items[0]).toContain('<a href="#rule-D12">D12</a>&#160;x500');
    expect(items[1]).toMatch(/class="calm" id="scenario-hints">\n.*– left out/);
    expect(items[2]).toContain("no &#34;end&#34;");
    expect(items[2]).toMatch(/<details><summary>last steps, 1 line<[\s\S]*#1 read status<\/pre>/);
  });

  it("begins with what is new and what is unequal, where it has a baseline", () => {
    expect(page).not.toContain('id="baseline"');
    expect(beside).toContain("a &#60;driver&#62;, in a&#38;b.json. Only what is new fails.");
    expect(beside).toContain("profile: &#60;q&#62;, now strict");
    expect(beside).toMatch(/✗ new<\/b>D12 \(MUST NOT\) in <a href="#scenario-targets">/);
    const known = pageOf(withBaseline(REPORT, REPORT, "same.json"));
    expect(known).toContain("✓ known<small>up</small>");
    expect(known).toContain("<title>a &#60;driver&#62;: passed</title>");
  });

  it("has text that can be read on its paper, in the light and in the dark", () => {
    const [light = "", dark = ""] = [...page.matchAll(/:root \{([^}]*)\}/g)].map(
      ([, rules]) => rules,
    );
    for (const scheme of [light, dark]) {
      const colours = new Map([...scheme.matchAll(/--(\w+): (#\w+)/g)].map(([, k, v]) => [k, v]));
      for (const paper of ["paper", "raised"]) {
        for (const ink of ["ink", "soft", "good", "bad", "warn", "link"]) {
          const [a = 0, b = 0] = [ink, paper].map((name) => luminance(colours.get(name) ?? ""));
          expect((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), ink).toBeGreaterThan(4.5);
        }
      }
    }
  });
});
