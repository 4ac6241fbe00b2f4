/** The page of `ballonet play` in a real browser, for tests: built, served, opened and driven. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { TestContext } from "vitest";
import { type PageFiles, pageFiles } from "../../../src/play/index.ts";
import { type PageServer, servePage } from "../../../src/play/serve/server.ts";
import { DrivenPage } from "./devtools.ts";

const READY = `document.querySelector("#state")?.dataset.state === "ready"`;

export interface PlayPage {
  readonly page: DrivenPage;
  readonly server: PageServer;
  readonly files: PageFiles;
  /** Loads the page and waits until its guest is ready. */
  load(hash?: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens the page. Skips the test where there is no browser. */
export async function openPlay(context: TestContext | undefined): Promise<PlayPage> {
  const page = await DrivenPage.open(context);
  const files = await pageFiles();
  const server = await servePage(files, 0);
  return {
    page,
    server,
    files,
    load: async (hash = "") => {
      await page.goTo("about:blank");
      await page.goTo(`${server.url}${hash}`);
      await page.until(READY, 60_000);
    },
    close: async () => {
      await page.close();
      await server.close();
    },
  };
}

/** The text of an element. */
export function textOf(page: DrivenPage, selector: string): Promise<string> {
  return page.evaluate(`document.querySelector(${JSON.stringify(selector)}).textContent`);
}

/** What axe finds in a part of the page, in light and in dark colours; `where` is a selector. */
export async function axeFinds(page: DrivenPage, where = "html"): Promise<string[]> {
  const path = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
  if (!(await page.evaluate<boolean>("'axe' in globalThis"))) {
    await page.evaluate(`${await readFile(path, "utf8")}; undefined`);
  }
  const found: string[] = [];
  for (const scheme of ["dark", "light"] as const) {
    await page.look(1280, 1000, scheme);
    const seen = await page.evaluate<string[]>(`axe.run(${JSON.stringify(where)})
      .then(({ violations }) => violations
        .map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html).join(" ")))`);
    found.push(...seen.map((text) => `${scheme}: ${text}`));
  }
  return found;
}
