/** The panel of the driver: its settings, and the persona and the memory, which boot anew. */

import { MIB } from "../machine/choice.ts";
import type { LiveMachine } from "../machine/live-machine.ts";
import {
  DEFLATE_MODES,
  type JsonObject,
  PERSONA_NAMES,
  type PersonaName,
  POLICY_NAMES,
} from "../machine/shared.ts";
import { byId, fill, form, input, select } from "../view/elements.ts";
import { controlCall } from "../view/steps.ts";
import { type Answer, answering, type Bench } from "./bench.ts";

const MEMORIES = [32, 64, 128, 256];
/** The policy that has a pace. */
const PACED = "gentle";

export class DriverPanel {
  private readonly bench: Bench;
  private readonly line = byId("driver-answer", HTMLElement);

  constructor(bench: Bench) {
    this.bench = bench;
    fill(select("policy-name"), POLICY_NAMES);
    fill(select("deflate-mode"), DEFLATE_MODES);
    fill(select("persona"), PERSONA_NAMES);
    fill(
      select("memory"),
      MEMORIES.map((mib): [string, string] => [String(mib), `${mib} MiB`]),
    );
    select("policy-name").addEventListener("change", () => {
      input("pace").disabled = select("policy-name").value !== PACED;
    });
    this.onSubmit("policy", () => this.setPolicy());
    this.onSubmit("deflate", () => this.setDeflate());
    this.onSubmit("reserve", () => this.setReserve());
    this.onSubmit("boot", () => this.boot());
  }

  show({ choice }: LiveMachine): void {
    select("persona").value = choice.persona;
    select("memory").value = String(choice.memoryBytes / MIB);
  }

  private onSubmit(id: string, work: () => Promise<Answer>): void {
    form(id).addEventListener("submit", (event) => {
      event.preventDefault();
      void answering(this.line, work);
    });
  }

  private async setPolicy(): Promise<Answer> {
    const name = select("policy-name").value;
    const options = name === PACED ? { pagesPerSecond: Number(input("pace").value) } : {};
    await this.ask(`Policy ${name}`, "policy.set", { name, options }, [
      `ballonet boot --policy ${name}`,
    ]);
    return { text: `The driver now decides by ${name}.` };
  }

  private async setDeflate(): Promise<Answer> {
    const mode = select("deflate-mode").value;
    await this.ask(`Deflate ${mode}`, "deflate.set", { mode }, [`ballonet boot --deflate ${mode}`]);
    return { text: `Pages are taken back by ${mode}.` };
  }

  private async setReserve(): Promise<Answer> {
    const pages = Number(input("reserve-pages").value);
    await this.ask(`Reserve ${pages} pages`, "reserve.set", { pages }, [
      `ballonet boot --reserve ${pages * 4}K`,
    ]);
    return { text: `Inflating leaves ${pages} pages free.` };
  }

  private async boot(): Promise<Answer> {
    const persona = select("persona").value as PersonaName;
    const memoryMib = Number(select("memory").value);
    const { readyMs } = await this.bench.boot({ persona, memoryBytes: memoryMib * MIB });
    this.bench.steps.add(`Boot as ${persona}`, [
      `const vmm = await launchV86({ image, memoryBytes: ${memoryMib} << 20, ` +
        `append: "ballonet.persona=${persona}" });`,
      `ballonet boot --persona ${persona} --memory ${memoryMib}M`,
    ]);
    return { text: `Up as ${persona} after ${Math.round(readyMs)} ms.` };
  }

  private async ask(what: string, method: string, params: JsonObject, more: string[]) {
    await this.bench.machine.ask(method, params);
    this.bench.steps.add(what, [controlCall(method, params), ...more]);
  }
}
