/** Migration with a QEMU that does not do its part. */
import { connect, type Socket } from "node:net";
import { expect, it } from "vitest";
import type { JsonObject } from "../../../../src/vmm/json.ts";
import { saveState } from "../../../../src/vmm/qemu/migration.ts";
import type { QemuVmm } from "../../../../src/vmm/qemu/qemu.ts";

/** Runs, and sends a state that never ends, also after it was told to stop. */
class EndlessSource {
  readonly closed: Promise<void>;
  private sent: Socket | undefined;
  private closing: () => void = () => {};
  private status = "active";

  constructor() {
    this.closed = new Promise((resolve) => {
      this.closing = resolve;
    });
  }

  async execute({ command, args }: { command: string; args?: JsonObject }) {
    switch (command) {
      case "query-status":
        return { status: "running" };
      case "query-migrate":
        return { status: this.status };
      case "migrate":
        this.sent = connect(String(args?.uri).replace(/^unix:/, ""));
        this.sent
          .on("error", () => {})
          .once("close", this.closing)
          .resume();
        this.sent.write("part");
        return {};
      case "migrate_cancel":
        this.status = "cancelled";
        return {};
      default:
        return {};
    }
  }
}

it("a state that was not wanted to its end leaves no connection open", async () => {
  const source = new EndlessSource();
  const saving = saveState({ source: source as unknown as QemuVmm, timeoutMs: 200 });
  await expect(saving).rejects.toMatchObject({ code: "timeout" });
  await source.closed;
});
