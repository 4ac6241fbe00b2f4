/** The host's side of the agent: what a judged Linux can be asked to do. */
import type { ControlClient, JsonValue } from "../../vmm/index.ts";
import type { PageUse, SystemActions } from "../platform.ts";

/** A request may wait for a driver that gives thousands of pages back. */
const REQUEST_MS = 60_000;

/** Where Linux shows the devices of virtio, and the driver of the balloon. */
const DEVICES = "/sys/bus/virtio/devices";
const DRIVERS = "/sys/bus/virtio/drivers";
const DRIVER = "virtio_balloon";
/** The device id of a balloon, as Linux shows it. */
const BALLOON_ID = "0x0005";

/** What is asked of it takes this long at most, and ends with the signal. */
export interface AgentLimits {
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
}

export class Agent {
  private readonly control: ControlClient;
  private readonly limits: AgentLimits;

  constructor(control: ControlClient, limits: AgentLimits) {
    this.control = control;
    this.limits = limits;
  }

  /** What a scenario may ask of it on every machine. */
  actions(): SystemActions {
    return {
      usePages: (pages, how) => this.usePages(pages, how),
      dropPages: () => this.dropPages(),
      unbind: () => this.unbind(),
      bind: () => this.bind(),
      unload: () => this.unload(),
      load: () => this.load(),
    };
  }

  /** Uses this many more pages, or a part of each. Returns how many it got. */
  async usePages(pages: number, how: PageUse = "whole"): Promise<number> {
    return Number(await this.ask(how === "whole" ? "use" : "part", [pages]));
  }

  /** Verifies all used pages and frees them. Returns how many had changed. */
  async dropPages(): Promise<number> {
    return Number(await this.ask("drop", []));
  }

  /** Whether the driver of the balloon is there. */
  async hasDriver(): Promise<boolean> {
    return (await this.list(DRIVERS)).includes(DRIVER);
  }

  async unload(): Promise<void> {
    await this.ask("unload", [DRIVER]);
  }

  async load(): Promise<void> {
    await this.ask("load", [DRIVER]);
  }

  async unbind(): Promise<void> {
    await this.write(`${DRIVERS}/${DRIVER}/unbind`, await this.balloon());
  }

  async bind(): Promise<void> {
    await this.write(`${DRIVERS}/${DRIVER}/bind`, await this.balloon());
  }

  /** Takes the function at this address from the system. */
  async remove(address: string): Promise<void> {
    await this.write(`/sys/bus/pci/devices/${address}/remove`, "1");
  }

  /** Looks for functions that are new. */
  async rescan(): Promise<void> {
    await this.write("/sys/bus/pci/rescan", "1");
  }

  /** Puts the machine to sleep; returns when it has been woken. */
  async suspend(): Promise<void> {
    await this.write("/sys/power/state", "mem");
  }

  /** Returns a file's first 3 KiB. */
  async read(path: string): Promise<string> {
    return String(await this.ask("read", [path]));
  }

  private async write(path: string, text: string): Promise<void> {
    await this.ask("write", [path, text]);
  }

  private async list(path: string): Promise<readonly string[]> {
    return String(await this.ask("list", [path])).split(" ");
  }

  /** Returns the name of the balloon among the devices of virtio. */
  private async balloon(): Promise<string> {
    for (const name of await this.list(DEVICES)) {
      if (name === "") continue;
      if ((await this.read(`${DEVICES}/${name}/device`)).trim() === BALLOON_ID) return name;
    }
    throw new Error("the guest shows no balloon among its devices");
  }

  private ask(method: string, params: readonly JsonValue[]): Promise<JsonValue> {
    const { signal, timeoutMs = REQUEST_MS } = this.limits;
    return this.control.request({ method, params, signal, timeoutMs });
  }
}
