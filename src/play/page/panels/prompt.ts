/** The panel of the prompt: a script in TypeScript that runs in the guest, with examples. */

import { stripTypes } from "../typescript/strip-types.ts";
import { button, byId, form, make, setText } from "../view/elements.ts";
import { controlCall } from "../view/steps.ts";
import { messageOf } from "../view/words.ts";
import type { Bench } from "./bench.ts";

const EXAMPLES: readonly (readonly [string, string])[] = [
  ["memory", "machine.memoryMap()"],
  ["clock", "machine.now()"],
  ["footprint", "machine.footprint()"],
  [
    "free frames",
    `type State = "reserved" | "used" | "free" | "inflating" | "held";
const names: State[] = ["reserved", "used", "free", "inflating", "held"];
const count = (state: number): number => machine.core.ledger_count(state);
Object.fromEntries(names.map((name, state) => [name, count(state)]))`,
  ],
  [
    "primes",
    `const primes: number[] = [];
for (let n = 2; primes.length < 20; n += 1) {
  if (primes.every((prime) => n % prime !== 0)) primes.push(n);
}
primes`,
  ],
];

export function promptPanel(bench: Bench): void {
  const script = byId("script", HTMLTextAreaElement);
  const value = byId("value", HTMLPreElement);
  byId("examples", HTMLElement).replaceChildren(
    ...EXAMPLES.map(([name, text]) => {
      const example = make("button", name);
      example.type = "button";
      example.addEventListener("click", () => {
        script.value = text;
        form("evaluate").requestSubmit();
      });
      return example;
    }),
  );
  form("evaluate").addEventListener("submit", async (event) => {
    event.preventDefault();
    let text = script.value;
    try {
      text = stripTypes(text);
      const result = await bench.machine.ask("evaluate", { script: text });
      setText(value, JSON.stringify(result, undefined, 2));
      value.dataset.verdict = "";
    } catch (error) {
      setText(value, messageOf(error));
      value.dataset.verdict = "bad";
    }
    bench.steps.add("Evaluate", [controlCall("evaluate", { script: text })]);
  });
  script.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form("evaluate").requestSubmit(button("run-script"));
  });
}
