/**
 * What the pages of reports share: a document of one file that loads nothing and runs no script,
 * and a style sheet. Each colour goes with a word, a sign or a pattern that says the same.
 */
import { createHash } from "node:crypto";
import { escaped } from "./markup.ts";

/** Colours, text, headings, folded parts and lists of facts. */
const SHARED_STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #59636e; --line: #d5dae0;
  --raised: #f6f8fa; --good: #1a7f37; --bad: #c11d28; --warn: #8a5a00; --link: #0b5fb8 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7ebef; --paper: #14171b; --soft: #9aa5b1; --line: #353c44; --raised: #1c2127;
    --good: #56d07a; --bad: #ff8189; --warn: #f2c14e; --link: #79b8ff }
}
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 74rem; margin: 2rem auto 4rem; padding: 0 1rem }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.25rem; margin: 2rem 0 .2rem }
h3 { font-size: 1.05rem; margin: 0; display: inline }
ul, ol { padding-left: 1.6rem } summary { cursor: pointer } a { color: var(--link) }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px }
dt { color: var(--soft); font-size: .85rem } dd { margin: 0; overflow-wrap: anywhere }
`;

/**
 * Returns a page. What `style` adds comes after the shared part; `body` is HTML, and has neither
 * script nor attributes with styles: the page's own policy refuses both.
 */
export function htmlPage(parts: {
  readonly title: string;
  readonly style: string;
  readonly body: string;
}): string {
  const style = `${SHARED_STYLE}${parts.style}`;
  // The alphabet of URLs: no text of a page looks as if it named another host.
  const hash = createHash("sha256").update(style).digest("base64url");
  const policy = `default-src 'none'; style-src 'sha256-${hash}='; base-uri 'none'`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(parts.title)}</title><style>${style}</style></head><body>
${parts.body}
</body></html>
`;
}

/** Returns each text, escaped, in an element of its own. */
export function elements(tag: string, texts: readonly string[]): string {
  return texts.map((text) => `<${tag}>${escaped(text)}</${tag}>`).join("");
}

/** Returns a list of facts, each with what it is called. */
export function factList(facts: readonly (readonly [string, string])[]): string {
  const items = facts.map(([term, text]) => {
    return `<div>${elements("dt", [term])}${elements("dd", [text])}</div>`;
  });
  return `<dl>${items.join("\n")}</dl>`;
}
