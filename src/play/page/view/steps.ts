/** What was done, each step with what does the same in TypeScript or on the command line. */
import { byId, make } from "./elements.ts";

/** More are not kept. */
const STEPS_MAX = 100;

/** A call of the guest's control channel, as a program writes it. */
export function controlCall(method: string, params?: object): string {
  const given = params === undefined ? "" : `, params: ${JSON.stringify(params)}`;
  return `await vmm.control.request({ method: "${method}"${given} });`;
}

export class Steps {
  private readonly list: HTMLElement;
  private readonly beganMs = performance.now();
  private last = "";

  /** `id`: of the list. */
  constructor(id: string) {
    this.list = byId(id, HTMLOListElement);
  }

  /**
   * Adds a step. One with the `what` before it takes its place when `replaces`: a target that is
   * dragged is one step.
   */
  add(what: string, code: readonly string[], replaces = false): void {
    const at = `${((performance.now() - this.beganMs) / 1000).toFixed(1)} s`;
    const title = make("p", make("span", what), make("small", at));
    const step = make("li", title, ...code.map((line) => make("code", line)));
    const key = what.replace(/\d[\d.]*/g, "");
    if (replaces && key === this.last) this.list.firstElementChild?.remove();
    this.last = key;
    this.list.prepend(step);
    while (this.list.children.length > STEPS_MAX) this.list.lastElementChild?.remove();
  }
}
