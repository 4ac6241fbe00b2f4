/** The parts of a bar: each begins where it is told, and ends where the next one begins. */
import { byId, make } from "./elements.ts";

export class Segments {
  private readonly parts: HTMLElement[];
  private shown = "";

  /** `tones` are names of colours, from left to right. */
  constructor(id: string, tones: readonly string[]) {
    this.parts = tones.map((tone) => {
      const part = make("div");
      part.style.background = `var(--${tone})`;
      return part;
    });
    byId(id, HTMLElement).replaceChildren(...this.parts);
  }

  /** Shows these amounts, one for each part. */
  show(amounts: readonly number[]): void {
    if (amounts.join() === this.shown) return;
    this.shown = amounts.join();
    const sum = Math.max(
      1,
      amounts.reduce((all, amount) => all + amount, 0),
    );
    let before = 0;
    this.parts.forEach((part, index) => {
      const amount = amounts[index] ?? 0;
      part.style.transform = `translateX(${(before / sum) * 100}%) scaleX(${amount / sum})`;
      before += amount;
    });
  }
}
