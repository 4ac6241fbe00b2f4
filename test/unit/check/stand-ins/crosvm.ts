/**
 * Stands for crosvm: `run` is the machine, any other command talks to one. It is stricter than the
 * real one: it knows no option and no order but these, and refuses what changes nothing.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { demand } from "./strict-api.ts";
import { ToyGuest } from "./toy-guest.ts";

const [command = "", ...rest] = process.argv.slice(2);
const SERIAL = "type=file,path=/proc/self/fd/1,input=/proc/self/fd/0,hardware=serial,num=1";

/** Takes the options of `run`: each at most once, and the image at the end. */
function optionsOf(args: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  const switches = ["--disable-sandbox", "--balloon-page-reporting"];
  for (let at = 0; at < args.length - 1; at++) {
    const name = String(args[at]);
    const valued = ["--mem", "--params", "--socket", "--serial", "--restore"].includes(name);
    demand(valued || switches.includes(name), `Unrecognized argument: ${name}`);
    demand(!found.has(name), `duplicate values for ${name}`);
    found.set(name, valued ? String(args[++at]) : "");
  }
  demand(existsSync(String(args.at(-1))), "no kernel");
  return found;
}

function machine(): void {
  const options = optionsOf(rest);
  const path = String(options.get("--socket"));
  demand(/^\d+$/.test(String(options.get("--mem"))), "no memory");
  demand(options.get("--serial") === SERIAL, "no serial port");
  demand(options.has("--disable-sandbox") && !existsSync(path), "it cannot start");
  const saved = options.get("--restore");
  const state = saved === undefined ? undefined : JSON.parse(readFileSync(saved, "utf8"));
  const guest = new ToyGuest((text) => process.stdout.write(text), state);
  process.stdin.setEncoding("utf8").on("data", (text: string) => guest.receive(text));
  let isSuspended = state !== undefined;
  const act = ([name, ...args]: readonly string[]): unknown => {
    switch (name) {
      case "balloon":
        demand(args.length === 1 && Number(args[0]) % 4096 === 0, "no size");
        demand(Number(args[0]) < Number(options.get("--mem")) * 2 ** 20, "too large");
        guest.setTarget(Number(args[0]) / 4096);
        return undefined;
      case "balloon_stats": {
        demand(args.length === 0 && !isSuspended, "nobody answers");
        const free = 2 ** 26 - guest.state.actual * 4096;
        const stats = { swap_in: null, free_memory: free, total_memory: 2 ** 26 };
        return { BalloonStats: { stats, balloon_actual: guest.state.actual * 4096 } };
      }
      case "suspend":
      case "resume":
        demand(
          args.every((arg) => arg === "--full"),
          "unknown argument",
        );
        demand(isSuspended === (name === "resume"), `nothing to ${name}`);
        isSuspended = name === "suspend";
        if (isSuspended) guest.paused = true;
        else guest.goOn();
        return undefined;
      case "snapshot": {
        const [word, file = ""] = args;
        demand(word === "take" && isSuspended && !existsSync(file), "no snapshot");
        writeFileSync(file, JSON.stringify(guest.state));
        return undefined;
      }
      default:
        demand(false, `Unrecognized argument: ${name}`);
    }
  };
  createServer((socket) => {
    socket.setEncoding("utf8").on("data", (text) => {
      try {
        socket.end(JSON.stringify({ answer: act(JSON.parse(String(text))) }));
      } catch (error) {
        socket.end(JSON.stringify({ error: String(error) }));
      }
    });
  }).listen(path);
  if (state === undefined) guest.boot(String(options.get("--params")));
}

function client(): void {
  const socket = connect(String(rest.at(-1)));
  socket.write(JSON.stringify([command, ...rest.slice(0, -1)]));
  socket.setEncoding("utf8").on("data", (text) => {
    const { error, answer } = JSON.parse(String(text));
    if (answer !== undefined) process.stdout.write(JSON.stringify(answer, undefined, 2));
    if (error === undefined) return;
    process.stderr.write(error);
    process.exitCode = 1;
  });
}

try {
  if (command === "run") machine();
  else client();
} catch (error) {
  process.stderr.write(String(error));
  process.exitCode = 1;
}
