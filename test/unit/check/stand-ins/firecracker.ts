/** Stands for Firecracker, and is stricter than its API: see strict-api.ts. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { type Body, demand, fields, optionOf, serve } from "./strict-api.ts";
import { ToyGuest } from "./toy-guest.ts";

const args = process.argv.slice(2);
const names = ["--api-sock", "--log-path", "--enable-pci"];
const extra = args.filter((arg) => !names.includes(arg));
demand(extra.length === 2, `arguments that it does not know: ${extra.slice(2)}`);
demand(existsSync(optionOf(args, "--log-path")), "no file for its log");

let guest = new ToyGuest((text) => process.stdout.write(text));
const set: Record<string, Body> = {};
let state: "fresh" | "configured" | "running" | "paused" | "saved" = "fresh";
let interval = 0;
let hintCommand = 0;
process.stdin.setEncoding("utf8").on("data", (text: string) => guest.receive(text));

function configure(name: string, body: Body): void {
  demand(state === "fresh" || state === "configured", "not supported after starting the microVM");
  demand(set[name] === undefined, `${name} is set already`);
  set[name] = body;
  state = "configured";
}

const balloon = () => set.balloon ?? {};
const isStarted = () => demand(state === "running" || state === "paused", "no microVM runs");

serve(optionOf(args, "--api-sock"), {
  "PUT /machine-config": (body) =>
    configure("machine", fields(body, { vcpu_count: "whole", mem_size_mib: "whole" })),
  "PUT /boot-source": (body) =>
    configure("boot", fields(body, { kernel_image_path: "file", boot_args: "text" })),
  "PUT /balloon": (body) => {
    const must = { amount_mib: "whole", deflate_on_oom: "boolean" } as const;
    const more = { free_page_hinting: "boolean", free_page_reporting: "boolean" } as const;
    const known = fields(body, must, { stats_polling_interval_s: "whole", ...more });
    configure("balloon", known);
    interval = Number(known.stats_polling_interval_s ?? 0);
  },
  "PUT /actions": (body) => {
    const { action_type: action } = fields(body, { action_type: "text" });
    demand(action === "InstanceStart", `no action ${action}`);
    demand(state === "configured", "it has been started, or nothing is configured");
    demand(set.machine && set.boot && set.balloon, "a part is not configured");
    state = "running";
    guest.boot(String(set.boot.boot_args));
  },
  "PATCH /vm": (body) => {
    const { state: wanted } = fields(body, { state: "text" });
    isStarted();
    demand(wanted === "Paused" || wanted === "Resumed", `no state ${wanted}`);
    demand((wanted === "Paused") === (state === "running"), `it is ${wanted} already`);
    state = wanted === "Paused" ? "paused" : "running";
    guest.paused = state === "paused";
    if (state === "running") guest.goOn();
  },
  "PATCH /balloon": (body) => {
    isStarted();
    const amount = Number(fields(body, { amount_mib: "whole" }).amount_mib);
    demand(amount < Number(set.machine?.mem_size_mib), "more than the guest has");
    guest.setTarget(amount * 256);
  },
  "PATCH /balloon/statistics": (body) => {
    isStarted();
    const seconds = Number(
      fields(body, { stats_polling_interval_s: "whole" }).stats_polling_interval_s,
    );
    demand(
      interval > 0 && seconds > 0 && seconds <= 0xffff,
      "statistics cannot be turned on or off",
    );
    interval = seconds;
  },
  "GET /balloon/statistics": () => {
    isStarted();
    demand(interval > 0, "statistics are off");
    const { target, actual } = guest.state;
    const pages = { target_pages: target, actual_pages: actual };
    const free = 2 ** 26 - actual * 4096;
    return { ...pages, target_mib: target / 256, actual_mib: actual / 256, free_memory: free };
  },
  "PATCH /balloon/hinting/start": (body) => {
    isStarted();
    fields(body, {}, { acknowledge_on_stop: "boolean" });
    demand(balloon().free_page_hinting === true, "hinting is off");
    demand(hintCommand <= 1, "a run is under way");
    hintCommand = 2;
    setTimeout(() => {
      hintCommand = 1;
    }, 60);
  },
  "GET /balloon/hinting/status": () => {
    demand(balloon().free_page_hinting === true, "hinting is off");
    return { host_cmd: hintCommand, guest_cmd: hintCommand };
  },
  "PUT /snapshot/create": (body) => {
    const must = { snapshot_path: "text", mem_file_path: "text" } as const;
    const files = fields(body, must, { snapshot_type: "text" });
    demand(state === "paused", "the microVM is not paused");
    for (const file of [files.snapshot_path, files.mem_file_path]) {
      demand(!existsSync(String(file)), `${file} is there already`);
      writeFileSync(String(file), JSON.stringify({ state: guest.state, set, interval }));
    }
    state = "saved";
  },
  "PUT /snapshot/load": (body) => {
    demand(state === "fresh", "it has been configured");
    const must = { snapshot_path: "file", mem_backend: "object", resume_vm: "boolean" } as const;
    const load = fields(body, must);
    const backend = fields(load.mem_backend as Body, {
      backend_type: "text",
      backend_path: "file",
    });
    demand(backend.backend_type === "File", `no backend ${backend.backend_type}`);
    const saved = JSON.parse(readFileSync(String(load.snapshot_path), "utf8"));
    guest = new ToyGuest((text) => process.stdout.write(text), saved.state);
    Object.assign(set, saved.set);
    interval = saved.interval;
    state = load.resume_vm ? "running" : "paused";
    if (load.resume_vm) guest.goOn();
  },
});
