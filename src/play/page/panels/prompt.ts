/** The panel of the prompt: a script that runs in the guest, with examples. */

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
    `const names = ["reserved", "used", "free", "inflating", "held"];
Object.fromEntries(names.map((name, state) => [name, machine.core.ledger_count(state)]))`,
  ],
  [
    "primes",
    `const primes = [];
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
    const text = script.value;
    try {
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
