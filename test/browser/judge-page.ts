/** What the judge's browser test runs inside a page: a guest in v86 on the reference device. */
import { inV86, runScenario, scenarios } from "../../src/judge/browser.ts";

const MEMORY_BYTES = 32 * 1024 * 1024;

async function play(): Promise<string> {
  const engine = await WebAssembly.compileStreaming(fetch("v86.wasm"));
  const image = new Uint8Array(await (await fetch("guest.elf")).arrayBuffer());
  const append = "ballonet.persona=linux";
  const platform = inV86({ image, append, memoryBytes: MEMORY_BYTES, device: {}, engine });
  const targets = scenarios.find(({ name }) => name === "targets");
  if (targets === undefined) throw new Error("no scenario targets");
  const { outcome, findings, note } = await runScenario(platform, targets);
  return [outcome, ...findings.map(({ rule, level }) => `${rule} (${level})`), note ?? ""].join(
    " ",
  );
}

const tell = (body: string) => fetch("/told", { method: "POST", body });
play().then(
  (told) => tell(`done ${told}`),
  (error: unknown) => tell(`failed ${error}`),
);
