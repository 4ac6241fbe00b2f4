/** A bar with a handle, moved by the pointer or by keys; to screen readers it is a slider. */
import { byId } from "./elements.ts";

interface SliderParts {
  /** Ids of the bar and of its handle. */
  readonly bar: string;
  readonly handle: string;
  /** Steps of the arrow keys, and of page up and page down. */
  readonly step: number;
  readonly leap: number;
  /** What a value means, for screen readers. */
  say(value: number): string;
  /** The user chose a value; called while the handle is dragged, too. */
  choose(value: number, isLast: boolean): void;
}

export class Slider {
  private readonly parts: SliderParts;
  private readonly bar: HTMLElement;
  private readonly handle: HTMLElement;
  private least = 0;
  private most = 0;
  private value = 0;
  private dragging = false;

  constructor(parts: SliderParts) {
    this.parts = parts;
    this.bar = byId(parts.bar, HTMLElement);
    this.handle = byId(parts.handle, HTMLElement);
    this.bar.addEventListener("pointerdown", (event) => {
      if (this.most === this.least || event.button !== 0) return;
      this.dragging = true;
      this.bar.setPointerCapture(event.pointerId);
      this.handle.focus();
      this.drag(event, false);
      event.preventDefault();
    });
    this.bar.addEventListener("pointermove", (event) => {
      if (this.dragging) this.drag(event, false);
    });
    const end = (event: PointerEvent) => {
      if (!this.dragging) return;
      this.dragging = false;
      this.drag(event, true);
    };
    this.bar.addEventListener("pointerup", end);
    this.bar.addEventListener("pointercancel", end);
    this.handle.addEventListener("keydown", (event) => this.key(event));
  }

  /** Sets what can be chosen. */
  bounds(least: number, most: number): void {
    this.least = least;
    this.most = most;
    this.handle.setAttribute("aria-valuemin", String(least));
    this.handle.setAttribute("aria-valuemax", String(most));
    this.show(this.value);
  }

  /** Shows a value that is set now; not while it is dragged. */
  set(value: number): void {
    if (!this.dragging && value !== this.value) this.show(value);
  }

  private show(value: number): void {
    this.value = Math.min(this.most, Math.max(this.least, value));
    const width = this.most - this.least;
    const share = width === 0 ? 0 : (this.value - this.least) / width;
    this.handle.style.left = `${share * 100}%`;
    this.handle.setAttribute("aria-valuenow", String(this.value));
    this.handle.setAttribute("aria-valuetext", this.parts.say(this.value));
  }

  private drag({ clientX }: PointerEvent, isLast: boolean): void {
    const { left, width } = this.bar.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (clientX - left) / width));
    const { step } = this.parts;
    const value = this.least + Math.round((share * (this.most - this.least)) / step) * step;
    this.show(value);
    this.parts.choose(this.value, isLast);
  }

  private key(event: KeyboardEvent): void {
    const { step, leap } = this.parts;
    const moves: Readonly<Record<string, number>> = {
      ArrowRight: step,
      ArrowUp: step,
      ArrowLeft: -step,
      ArrowDown: -step,
      PageUp: leap,
      PageDown: -leap,
      Home: Number.NEGATIVE_INFINITY,
      End: Number.POSITIVE_INFINITY,
    };
    const move = moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    this.show(this.value + move);
    this.parts.choose(this.value, true);
  }
}
