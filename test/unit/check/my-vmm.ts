/**
 * My VMM as a host: npx ballonet check --on my-vmm.ts
 *
 * Node 20 runs no TypeScript: make JavaScript of it first.
 *   npx esbuild my-vmm.ts --bundle --packages=external --platform=node --format=esm \
 *     --outfile=my-vmm.mjs
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type CheckHostSystem, SerialConsole } from "../../../src/check/index.ts";

const host: CheckHostSystem = {
  name: "my VMM",
  // i386: a Multiboot image; x86_64: an ELF with a PVH note and an entry of Linux's protocol.
  arch: "x86_64",
  machine: "its board",
  // The guest's serial port that the checks ask the host on. Leave it out where the guest can only
  // print: then what needs the host is left out, and said to be.
  control: "com1",
  // What "hand" below has functions for.
  can: ["target", "shown"],

  async launch({ image, append, memoryBytes, signal }) {
    const program = process.env.MY_VMM ?? "my-vmm";
    const args = ["--kernel", image, "--cmdline", append, "--memory", String(memoryBytes)];
    // COM1 is the program's own input and output. It ends with the signal, and never outlives it.
    const child = spawn(program, args, { signal, killSignal: "SIGKILL", stdio: "pipe" });
    const serial = new SerialConsole((bytes) => child.stdin.write(bytes));
    child.stdin.on("error", () => {});
    child.stdout.on("data", (bytes: Buffer) => serial.push(bytes));
    child.on("error", () => {});
    const ended = once(child, "close").then(
      ([code, killedBy]) => (killedBy ? `signal ${killedBy}` : `exit code ${code}`),
      (error: unknown) => String(error),
    );
    ended.then((how) => serial.close(new Error(how)));
    return {
      lines: serial.log,
      control: serial.control,
      ended,
      kill: async () => {
        child.kill("SIGKILL");
        await ended;
      },
      hand: {
        // Talk to your VMM here: num_pages becomes so many pages of 4 KiB.
        setTarget: async (pages) => api("PUT", { balloon: pages }),
        // What it shows of the balloon's size.
        shown: async () => ({ actualPages: (await api("GET")).balloon }),
      },
    };
  },
};

async function api(
  method: "GET" | "PUT",
  body?: { balloon: number },
): Promise<{ balloon: number }> {
  const url = process.env.MY_VMM_API ?? "http://localhost:8080/";
  const answer = await fetch(url, { method, body: body ? JSON.stringify(body) : null });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status}`);
  return (await answer.json()) as { balloon: number };
}

export default host;
