/** Small helpers for the page's elements. */

/** Returns the element with this id. @throws Error when the page has none of this kind. */
export function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${kind.name} #${id}`);
}

export const button = (id: string) => byId(id, HTMLButtonElement);
export const form = (id: string) => byId(id, HTMLFormElement);
export const input = (id: string) => byId(id, HTMLInputElement);
export const select = (id: string) => byId(id, HTMLSelectElement);

/** Makes an element with this text and these children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  ...content: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  element.append(...content);
  return element;
}

/** Sets a text that has changed: an unchanged one costs no layout and no announcement. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Fills a list of choices; a choice is its value, or a value with its text. */
export function fill(list: HTMLSelectElement, names: readonly (string | [string, string])[]): void {
  list.replaceChildren(
    ...names.map((name) => {
      const [value, text] = typeof name === "string" ? [name, name] : name;
      return new Option(text, value);
    }),
  );
}

/** The value of a custom property of the page's style. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Calls back when the page's colours change between light and dark. */
export function onColours(changed: () => void): void {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
}
