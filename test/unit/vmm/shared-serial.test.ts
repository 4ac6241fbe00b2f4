/** One serial port for log and control channel: whatever the pieces are, each line goes one way. */
import { fc, test as property } from "@fast-check/vitest";
import { expect, it } from "vitest";
import { SharedSerial } from "../../../src/vmm/shared-serial.ts";

const REPLY = '{"jsonrpc":"2.0"';

function split() {
  const seen = { log: "", control: "" };
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
  const serial = new SharedSerial({
    onLog: (bytes) => {
      seen.log += text(bytes);
    },
    onControl: (bytes) => {
      seen.control += text(bytes);
    },
  });
  const push = (bytes: string) => serial.push(Buffer.from(bytes, "latin1"));
  return { serial, push, seen };
}

const lines = fc.array(
  fc.oneof(
    fc.constantFrom("", "{", REPLY, REPLY.slice(0, -1), `ballonet: ${REPLY}`, " "),
    fc.string({ unit: "binary-ascii" }).map((it) => `${REPLY},${it}`),
    fc.string({ unit: "binary-ascii" }),
  ),
);

property.prop([lines, fc.array(fc.nat(20))])("each line goes one way", (given, cuts) => {
  const { push, seen } = split();
  const whole = given.map((it) => it.replaceAll("\n", "_"));
  let rest = whole.map((it) => `${it}\n`).join("");
  for (const cut of cuts) {
    push(rest.slice(0, cut));
    rest = rest.slice(cut);
  }
  push(rest);
  const ofReplies = (wanted: boolean) =>
    whole.filter((it) => it.startsWith(REPLY) === wanted).map((it) => `${it}\n`);
  expect(seen).toEqual({ log: ofReplies(false).join(""), control: ofReplies(true).join("") });
});

it("shows an unfinished line of the log at once", () => {
  const { push, seen } = split();
  push("pass");
  expect(seen.log).toBe("pass");
});

it("ends a line that the end of its machine has cut", () => {
  const { serial, push, seen } = split();
  push(`${REPLY},"id":1,"resu`);
  serial.cut();
  push("ballonet: again\n{");
  serial.cut();
  serial.cut();
  expect(seen).toEqual({ log: "ballonet: again\n{\n", control: `${REPLY},"id":1,"resu\n` });
});
