/** Stands for Cloud Hypervisor, and is stricter than its API: see strict-api.ts. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Body, demand, fields, optionOf, serve } from "./strict-api.ts";
import { ToyGuest } from "./toy-guest.ts";

const args = process.argv.slice(2);
demand(args.length === 2, `arguments that it does not know: ${args}`);

let peer: Socket | undefined;
let early = "";
const write = (text: string) => {
  if (peer === undefined) early += text;
  else peer.write(text);
};
let guest = new ToyGuest(write);
let config: Body | undefined;
let state: "none" | "created" | "running" | "paused" = "none";

/** A part of the machine's configuration. */
const part = (name: string) => (config?.[name] ?? {}) as Body;
const memory = () => Number(part("memory").size);

function openSerial(path: string): void {
  demand(!existsSync(path), "Address already in use");
  const server = createServer((socket) => {
    peer = socket;
    socket.setEncoding("utf8").on("data", (text) => guest.receive(String(text)));
    socket.on("error", () => undefined);
    socket.write(early);
    early = "";
  });
  server.listen(path);
}

function is(wanted: typeof state): void {
  demand(state === wanted, `the VM is ${state}, not ${wanted}`);
}

/** The folder of a file URL, which must be there. */
function folderOf(url: unknown): string {
  demand(String(url).startsWith("file:///"), `no file URL: ${url}`);
  const folder = fileURLToPath(String(url));
  demand(existsSync(folder), `no folder ${folder}`);
  return folder;
}

serve(optionOf(args, "--api-socket"), {
  "PUT /api/v1/vm.create": (body) => {
    is("none");
    const parts = { payload: "object", cpus: "object", memory: "object" } as const;
    const more = { serial: "object", console: "object", balloon: "object" } as const;
    const made = fields(body, { ...parts, ...more });
    fields(made.payload as Body, { kernel: "file", cmdline: "text" });
    fields(made.cpus as Body, { boot_vcpus: "whole", max_vcpus: "whole" });
    fields(made.memory as Body, { size: "whole" });
    demand((made.serial as Body).mode === "Socket", "no serial port to look at");
    fields(made.serial as Body, { mode: "text", socket: "text" });
    demand(fields(made.console as Body, { mode: "text" }).mode === "Off", "a console");
    const may = { deflate_on_oom: "boolean", free_page_reporting: "boolean" } as const;
    fields(made.balloon as Body, { size: "whole" }, may);
    config = made;
    state = "created";
  },
  "PUT /api/v1/vm.boot": (body) => {
    demand(body === undefined, "a body");
    is("created");
    openSerial(String(part("serial").socket));
    state = "running";
    guest.boot(String(part("payload").cmdline));
  },
  "PUT /api/v1/vm.resize": (body) => {
    is("running");
    const bytes = Number(fields(body, { desired_balloon: "whole" }).desired_balloon);
    demand(bytes < memory() && bytes % 4096 === 0, "no size of a balloon");
    guest.setTarget(bytes / 4096);
  },
  "GET /api/v1/vm.info": () => {
    demand(config !== undefined, "no VM");
    return { config, state, memory_actual_size: memory() - guest.state.actual * 4096 };
  },
  "PUT /api/v1/vm.pause": () => {
    is("running");
    state = "paused";
    guest.paused = true;
  },
  "PUT /api/v1/vm.resume": () => {
    is("paused");
    state = "running";
    guest.goOn();
  },
  "PUT /api/v1/vm.reboot": () => {
    is("running");
    guest.setTarget(guest.state.target);
    guest.boot("again");
  },
  "PUT /api/v1/vm.snapshot": (body) => {
    is("paused");
    const folder = folderOf(fields(body, { destination_url: "text" }).destination_url);
    demand(readdirSync(folder).length === 0, "the folder is not empty");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "state.json"), JSON.stringify({ config, state: guest.state }));
  },
  "PUT /api/v1/vm.restore": (body) => {
    is("none");
    const folder = folderOf(fields(body, { source_url: "text" }).source_url);
    const saved = JSON.parse(readFileSync(join(folder, "state.json"), "utf8"));
    config = saved.config;
    guest = new ToyGuest(write, saved.state);
    openSerial(String(part("serial").socket));
    state = "paused";
  },
});
