/** Whether a page is well-formed. */

const VOID = ["meta", "!doctype"];

/** What is wrong with the nesting of a page's elements; "" when nothing is. */
export function nestingFault(page: string): string {
  const open: string[] = [];
  for (const [tag, close, name = "", rest = ""] of page.matchAll(/<(\/?)([!\w]+)([^<>]*)>/g)) {
    if (!/^(\s+[\w-]+="[^"]*")*\s*\/?$/.test(rest) && name !== "!doctype") return `in ${tag}`;
    if (close === "/" && open.pop() !== name) return `at ${tag}`;
    if (close === "" && !rest.endsWith("/") && !VOID.includes(name)) open.push(name);
  }
  const bare = /<(?![/!]?\w)/.exec(page);
  if (bare !== null) return `a bare < at ${bare.index}`;
  return open.join(" ");
}
