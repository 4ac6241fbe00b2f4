/**
 * Prints a session: text with a gauge, text without, the summary alone, or JSON.
 *
 * It decides when something is printed and never what it means. Invariant: in JSON every event is
 * one line; in text a step that is done leaves one line at most beside those that were redrawn.
 */
import type { SessionEvent } from "../../session/events.ts";
import { formatJson, type JsonObject } from "../../vmm/json.ts";
import { type Io, Screen, speaksUnicode } from "../terminal.ts";
import { type GaugeState, gaugeLine } from "./gauge.ts";
import { eventLines } from "./text.ts";

export interface Printer {
  event(event: SessionEvent): void;
  /** Takes away what was only drawn; to be called however the session ended. */
  close(): void;
}

export interface PrinterOptions {
  readonly io: Io;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
}

/** Without a gauge: milliseconds between two lines of progress. */
const PROGRESS_LINE_MS = 1_000;
/** Without a gauge, a step of building is worth a line when it takes longer than this. */
const SLOW_STEP_MS = 1_000;

export function sessionPrinter(options: PrinterOptions): Printer {
  if (options.json) return jsonPrinter(options.io);
  return new TextPrinter(options);
}

function jsonPrinter({ out }: Io): Printer {
  return {
    event: (event) => out.write(`${formatJson(event as unknown as JsonObject)}\n`),
    close: () => {},
  };
}

class TextPrinter implements Printer {
  readonly #options: PrinterOptions;
  readonly #screen: Screen;
  readonly #errors: Screen;
  readonly #unicode: boolean;
  #slowStep: NodeJS.Timeout | undefined;
  #progressMs = 0;

  constructor(options: PrinterOptions) {
    const { io } = options;
    this.#options = options;
    this.#screen = new Screen(io.out, io.environment);
    this.#errors = new Screen(io.err, io.environment);
    this.#unicode = speaksUnicode(io.environment);
  }

  event(event: SessionEvent): void {
    clearTimeout(this.#slowStep);
    switch (event.type) {
      case "failed":
        this.#screen.clear();
        this.#print(this.#errors, event);
        return;
      case "summary":
        this.#print(this.#screen, event);
        return;
      case "log":
        if (this.#options.verbose) this.#print(this.#screen, event);
        return;
      case "building":
        this.#building(event);
        return;
      case "progress":
        this.#progress(event);
        return;
      case "target":
        this.#progressMs = event.atMs;
        this.#loud(event);
        return;
      case "reached":
        if (this.#screen.lively && !this.#options.quiet) {
          this.#screen.line(this.#gauge({ ...event, targetPages: event.pages }));
        }
        this.#loud(event);
        return;
      default:
        this.#loud(event);
    }
  }

  close(): void {
    clearTimeout(this.#slowStep);
    this.#screen.clear();
  }

  #loud(event: SessionEvent): void {
    if (!this.#options.quiet) this.#print(this.#screen, event);
  }

  #print(screen: Screen, event: SessionEvent): void {
    for (const line of eventLines(event, screen.paint)) screen.line(line);
  }

  #gauge(state: GaugeState): string {
    return gaugeLine(state, { columns: this.#screen.columns, unicode: this.#unicode });
  }

  #building(event: SessionEvent & { type: "building" }): void {
    if (this.#options.quiet || event.done === event.of) return;
    if (!this.#screen.lively) {
      this.#slowStep = setTimeout(() => this.#print(this.#screen, event), SLOW_STEP_MS);
      return;
    }
    this.#screen.draw(eventLines(event, this.#screen.paint).join(" "));
  }

  #progress(event: SessionEvent & { type: "progress" }): void {
    if (this.#options.quiet) return;
    if (this.#screen.lively) {
      this.#screen.draw(this.#gauge(event));
      return;
    }
    // What is reached has a line of its own.
    if (event.heldPages === event.targetPages) return;
    if (event.atMs - this.#progressMs < PROGRESS_LINE_MS) return;
    this.#progressMs = event.atMs;
    this.#print(this.#screen, event);
  }
}
