/**
 * A page in a real browser, driven through Chromium's DevTools protocol: over two pipes, one message
 * after the other, each ended by a zero byte. What the page's console says is kept.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import type { TestContext } from "vitest";
import { toolOrSkip } from "../../support/tools.ts";
import { CHROMIUM, FLAGS } from "./chromium.ts";

const ANSWER_MS = 60_000;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** One page of one browser. */
export class DrivenPage {
  /** Everything that the console said, and every exception, oldest first. */
  readonly console: string[] = [];
  private readonly child: ChildProcess;
  private readonly profile: string;
  private readonly waiting = new Map<number, (message: Message) => void>();
  private session = "";
  private nextId = 1;
  private rest = "";

  private constructor(child: ChildProcess, profile: string) {
    this.child = child;
    this.profile = profile;
    const output = child.stdio[4] as Readable;
    output.setEncoding("utf8").on("data", (text: string) => this.receive(text));
  }

  /** Starts a browser with an empty page. Skips the test where there is none. */
  static async open(context: TestContext | undefined): Promise<DrivenPage> {
    const chromium = context ? toolOrSkip(context, CHROMIUM, "chromium") : (CHROMIUM ?? "");
    const profile = await mkdtemp(join(tmpdir(), "ballonet-browser-"));
    const args = [...FLAGS, "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank"];
    const stdio = ["ignore", "ignore", "ignore", "pipe", "pipe"] as const;
    const page = new DrivenPage(spawn(chromium, args, { stdio: [...stdio] }), profile);
    const { targetInfos } = await page.call("Target.getTargets");
    const [target] = (targetInfos as { type: string; targetId: string }[]).filter(
      ({ type }) => type === "page",
    );
    const attached = await page.call("Target.attachToTarget", {
      targetId: target?.targetId,
      flatten: true,
    });
    page.session = String(attached.sessionId);
    for (const domain of ["Page", "Runtime", "Log", "Performance"]) {
      await page.call(`${domain}.enable`);
    }
    return page;
  }

  /** Calls a method of the protocol. Rejects with what the browser says against it. */
  call(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = this.nextId++;
    const session = this.session === "" ? {} : { sessionId: this.session };
    const input = this.child.stdio[3] as Writable;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method}: no answer`)), ANSWER_MS);
      this.waiting.set(id, ({ result, error }) => {
        clearTimeout(timer);
        if (error === undefined) resolve(result ?? {});
        else reject(new Error(`${method}: ${error.message}`));
      });
      input.write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    });
  }

  async goTo(url: string): Promise<void> {
    await this.call("Page.navigate", { url });
  }

  /** Evaluates an expression in the page; a promise is waited for. Rejects with what it throws. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = (await this.call("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
      userGesture: true,
    })) as {
      result: { value: T };
      exceptionDetails?: { text: string; exception?: { description?: string } };
    };
    if (exceptionDetails === undefined) return result.value;
    throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  }

  /** Waits until an expression is true in the page. */
  async until(expression: string, timeoutMs = 20_000): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    while (!(await this.evaluate<boolean>(`Boolean(${expression})`).catch(() => false))) {
      if (performance.now() > endMs) throw new Error(`not true in ${timeoutMs} ms: ${expression}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Sets the window's size in pixels, and the colours that its user prefers. */
  async look(width: number, height: number, scheme: "light" | "dark" = "light"): Promise<void> {
    const metrics = { width, height, deviceScaleFactor: 1, mobile: false };
    await this.call("Emulation.setDeviceMetricsOverride", metrics);
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await this.call("Emulation.setEmulatedMedia", { features });
  }

  /** Presses the mouse at one place, moves it to others, and lets it go at the last one. */
  async drag(places: readonly (readonly [number, number])[]): Promise<void> {
    const [first, ...others] = places;
    if (first === undefined) return;
    const mouse = (type: string, [x, y]: readonly [number, number]) =>
      this.call("Input.dispatchMouseEvent", {
        type,
        x,
        y,
        button: "left",
        buttons: 1,
        clickCount: 1,
      });
    await mouse("mousePressed", first);
    for (const place of others) await mouse("mouseMoved", place);
    await mouse("mouseReleased", places.at(-1) ?? first);
  }

  /** Clicks with the mouse on the middle of the element that a selector finds. */
  async click(selector: string): Promise<void> {
    const place = await this.evaluate<[number, number]>(`(() => {
      const element = document.querySelector(${JSON.stringify(selector)});
      element.scrollIntoView({ block: "center" });
      const { left, top, width, height } = element.getBoundingClientRect();
      return [left + width / 2, top + height / 2];
    })()`);
    await this.drag([place, place]);
  }

  async key(key: string): Promise<void> {
    for (const type of ["keyDown", "keyUp"]) {
      await this.call("Input.dispatchKeyEvent", { type, key, code: key });
    }
  }

  /** Returns the window as a PNG; with `whole` all of the page. */
  async screenshot(whole = false): Promise<Buffer> {
    const shot = await this.call("Page.captureScreenshot", { captureBeyondViewport: whole });
    return Buffer.from(String(shot.data), "base64");
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.child.once("close", () => resolve()));
    this.child.kill();
    await closed;
    await rm(this.profile, { recursive: true, force: true, maxRetries: 3 });
  }

  private receive(text: string): void {
    const parts = `${this.rest}${text}`.split("\0");
    this.rest = parts.pop() ?? "";
    for (const part of parts) this.take(JSON.parse(part) as Message);
  }

  private take(message: Message): void {
    const { id, method, params } = message;
    if (id !== undefined) {
      this.waiting.get(id)?.(message);
      this.waiting.delete(id);
    }
    const said = ["Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"];
    if (method !== undefined && said.includes(method)) {
      this.console.push(JSON.stringify(params).slice(0, 1_000));
    }
  }
}
