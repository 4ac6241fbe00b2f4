/**
 * An interrupt that comes between `sti` and `hlt`, which no processor lets in there, but a
 * hypervisor that is emulated itself may: the guest must not halt for ever with interrupts off.
 *
 * QEMU's debugger port holds the guest at the `hlt`, and makes it look as if one had come.
 */
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { guestImage, MIB, qemuGuest, useGuests } from "../../support/guests.ts";
import { functionsOf, parseElf } from "../support/elf.ts";

useGuests();

const memoryBytes = 32 * MIB;
const SPURIOUS_VECTOR = 79;
const STUB_BYTES = 16;
const INTERRUPTS_ON = 0x200n;
const CODE_SELECTOR = 0x18n;
const DATA_SELECTOR = 0x10n;
/** Numbers of QEMU's registers of x86_64. */
const RSP = 7;
const RIP = 16;
const RFLAGS = 17;

/** A debugger's side of gdb's remote protocol. */
class Debugger {
  private readonly socket: Socket;
  private text = "";

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes) => {
      this.text += bytes.toString("latin1");
    });
  }

  send(packet: string): void {
    const sum = [...packet].reduce((total, char) => total + char.charCodeAt(0), 0) % 256;
    this.socket.write(`$${packet}#${sum.toString(16).padStart(2, "0")}`);
  }

  async packet(): Promise<string> {
    for (;;) {
      const match = /\$([^#]*)#../.exec(this.text);
      if (match === null) {
        await once(this.socket, "data");
        continue;
      }
      this.text = this.text.slice(match.index + match[0].length);
      this.socket.write("+");
      return match[1] ?? "";
    }
  }

  /** Asks a guest that stands; whatever says that it does is no answer. */
  async ask(packet: string): Promise<string> {
    this.send(packet);
    for (;;) {
      const answer = await this.packet();
      if (!answer.startsWith("T")) return answer;
    }
  }

  async do(packet: string): Promise<void> {
    expect(await this.ask(packet)).toBe("OK");
  }

  async register(number: number): Promise<bigint> {
    const bytes = Buffer.from(await this.ask(`p${number.toString(16)}`), "hex");
    return BigInt(`0x${bytes.reverse().toString("hex")}`);
  }
}

const littleEndian = (values: readonly bigint[]) =>
  Buffer.from(BigUint64Array.from(values).buffer).toString("hex");

test("an interrupt just before the halt does not make it last for ever", async (context) => {
  const symbols = parseElf(await readFile(guestImage(context, "x86_64").symbolsPath));
  const address = (name: string) => functionsOf(symbols).get(name) ?? 0;
  // `sti`, which is one byte, and then the `hlt`.
  const hlt = address("halt") + 1;
  const folder = await mkdtemp(join(tmpdir(), "halt-test-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, "gdb");
  const extraArgs = ["-gdb", `unix:${path},server=on,wait=off`];
  const vm = await qemuGuest(context, { arch: "x86_64", machine: "q35", memoryBytes, extraArgs });

  const socket = connect(path);
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, "connect");
  const gdb = new Debugger(socket);
  // QEMU names single registers to a debugger that has asked which there are.
  await gdb.ask("qXfer:features:read:target.xml:0,100");
  await gdb.do(`Z1,${hlt.toString(16)},1`);
  gdb.send("c");
  const answered = vm.control.request({ method: "status" });
  answered.catch(() => {});
  expect(await gdb.packet()).toMatch(/^T05/);
  expect(await gdb.register(RIP)).toBe(BigInt(hlt));
  const flags = await gdb.register(RFLAGS);
  expect(flags & INTERRUPTS_ON).toBe(INTERRUPTS_ON);

  // What the processor does at an interrupt, from here on.
  const rsp = await gdb.register(RSP);
  const frame = [BigInt(hlt), CODE_SELECTOR, flags, rsp, DATA_SELECTOR];
  const to = (rsp & ~15n) - BigInt(frame.length * 8);
  await gdb.do(`M${to.toString(16)},${(frame.length * 8).toString(16)}:${littleEndian(frame)}`);
  const stub = BigInt(address("trap_stubs") + STUB_BYTES * SPURIOUS_VECTOR);
  await gdb.do(`P${RSP.toString(16)}=${littleEndian([to])}`);
  await gdb.do(`P${RIP.toString(16)}=${littleEndian([stub])}`);
  await gdb.do(`P${RFLAGS.toString(16)}=${littleEndian([flags & ~INTERRUPTS_ON])}`);
  await gdb.do(`z1,${hlt.toString(16)},1`);
  gdb.send("c");
  expect(await answered).toMatchObject({ state: "running" });
  expect(await vm.control.request({ method: "status" })).toMatchObject({ state: "running" });
});
