/**
 * What the judge's browser test of Linux runs inside a page: it puts a kernel together, and judges
 * the same one, which has booted elsewhere.
 */
import {
  type KernelModule,
  linuxImage,
  linuxInV86,
  runScenario,
  scenarios,
} from "../../src/judge/browser.ts";

const bytesOf = async (path: string) => new Uint8Array(await (await fetch(path)).arrayBuffer());

/** The digest of the image that the kernel's parts make. */
async function imageDigest(memoryBytes: number): Promise<string> {
  const names = (await (await fetch("modules")).json()) as string[];
  const modules: KernelModule[] = [];
  for (const name of names) modules.push({ name, bytes: await bytesOf(`modules/${name}`) });
  const [kernel, agent] = [await bytesOf("vmlinuz"), await bytesOf("agent")];
  const image = linuxImage({ kernel, agent, modules, memoryBytes });
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", image));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function play(): Promise<string> {
  const memoryBytes = Number(new URL(import.meta.url).searchParams.get("memory"));
  const digest = await imageDigest(memoryBytes);
  const engine = await WebAssembly.compileStreaming(fetch("v86.wasm"));
  const { buffer: state } = await bytesOf("state");
  const platform = linuxInV86({ state, memoryBytes, device: {}, engine });
  const targets = scenarios.find(({ name }) => name === "targets");
  if (targets === undefined) throw new Error("no scenario targets");
  const { outcome, findings } = await runScenario(platform, targets);
  await platform.end();
  return [digest, outcome, ...findings.map(({ rule }) => rule).sort()].join(" ");
}

const tell = (body: string) => fetch("/told", { method: "POST", body });
play().then(tell, (error: unknown) => tell(`failed ${error}`));
