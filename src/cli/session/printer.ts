/**
 * Prints a session's events: as text, with a gauge on terminals, as the summary alone, or as JSON.
 *
 * It decides when a line is printed; text.ts decides what it says.
 */
import type { SessionEvent } from "../../session/events.ts";
import { formatJson, type JsonObject } from "../../vmm/json.ts";
import { BuildSteps } from "../progress.ts";
import { type Io, Screen, supportsUnicode } from "../terminal.ts";
import { type GaugeState, gaugeLine } from "./gauge.ts";
import { eventLines } from "./text.ts";

interface Printer {
  event(event: SessionEvent): void;
  /** Removes the line that was drawn last. Call it however the session ended. */
  close(): void;
}

interface PrinterOptions {
  readonly io: Io;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
}

/** Without a gauge: milliseconds between two lines of progress. */
const PROGRESS_LINE_MS = 1_000;

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
  private readonly options: PrinterOptions;
  private readonly screen: Screen;
  private readonly errors: Screen;
  private readonly unicode: boolean;
  private readonly steps: BuildSteps;
  private progressMs = 0;

  constructor(options: PrinterOptions) {
    const { io } = options;
    this.options = options;
    this.screen = new Screen(io.out, io.environment);
    this.errors = new Screen(io.err, io.environment);
    this.unicode = supportsUnicode(io.environment);
    this.steps = new BuildSteps(this.screen);
  }

  event(event: SessionEvent): void {
    this.steps.end();
    switch (event.type) {
      case "failed":
        this.screen.clear();
        this.print(this.errors, event);
        return;
      case "summary":
        this.print(this.screen, event);
        return;
      case "log":
        if (this.options.verbose) this.print(this.screen, event);
        return;
      case "building":
        if (!this.options.quiet) this.steps.show(event);
        return;
      case "progress":
        this.printProgress(event);
        return;
      case "target":
        this.progressMs = event.atMs;
        this.printUnlessQuiet(event);
        return;
      case "reached":
        if (this.screen.interactive && !this.options.quiet) {
          this.screen.line(this.gauge({ ...event, targetPages: event.pages }));
        }
        this.printUnlessQuiet(event);
        return;
      default:
        this.printUnlessQuiet(event);
    }
  }

  close(): void {
    this.steps.end();
    this.screen.clear();
  }

  private printUnlessQuiet(event: SessionEvent): void {
    if (!this.options.quiet) this.print(this.screen, event);
  }

  private print(screen: Screen, event: SessionEvent): void {
    for (const line of eventLines(event, screen.paint)) screen.line(line);
  }

  private gauge(state: GaugeState): string {
    return gaugeLine(state, { columns: this.screen.columns, unicode: this.unicode });
  }

  private printProgress(event: SessionEvent & { type: "progress" }): void {
    if (this.options.quiet) return;
    if (this.screen.interactive) {
      this.screen.draw(this.gauge(event));
      return;
    }
    // The event `reached` has a line of its own.
    if (event.heldPages === event.targetPages) return;
    if (event.atMs - this.progressMs < PROGRESS_LINE_MS) return;
    this.progressMs = event.atMs;
    this.print(this.screen, event);
  }
}
