/**
 * A machine with KVM, which QEMU emulates: Linux on an AMD processor, with QEMU and the guests' images
 * in its first file system. In it QEMU runs guests on KVM, one at a time.
 *
 *   here --- sockets --- QEMU, TCG: Linux, init.c --- virtio ports --- QEMU, KVM: the guest
 *
 * A port each carries init's lines, the inner QEMU's QMP, COM1 and COM2.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type CpioEntry, cpio } from "../../../src/judge/agent/cpio.ts";
import { ControlClient } from "../../../src/vmm/control.ts";
import { GuestLog } from "../../../src/vmm/log.ts";
import { type QemuMachineOptions, qemuArguments } from "../../../src/vmm/qemu/arguments.ts";
import { QemuBalloon } from "../../../src/vmm/qemu/balloon.ts";
import { QmpClient } from "../../../src/vmm/qemu/qmp.ts";
import { SharedSerial } from "../../../src/vmm/shared-serial.ts";

const run = promisify(execFile);

/** Ports of the outer machine, by what they carry. */
const PORTS = ["init", "qmp", "com1", "com2"] as const;
const FIRST_FD = 3;
/** The chardevs of qemuArguments that are ports here. */
const PORT_OF = { qmp: 2, com1: 3, com2: 4 } as const;
/** In the order in which they load. */
const MODULES = [
  ...["virtio", "virtio_ring", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci"],
  ...["virtio_console", "irqbypass", "kvm", "kvm-amd"],
];
const FIRMWARE = ["bios-256k.bin", "bios-microvm.bin", "linuxboot_dma.bin", "multiboot_dma.bin"];
const MORE_FIRMWARE = ["qboot.rom", "pvh.bin", "kvmvapic.bin", "linuxboot.bin", "multiboot.bin"];
const ERRORS_MAX = 10;
const UP_MS = 300_000;
const START_MS = 60_000;

/** KVM's counts since the machine with it was started. */
export type KvmCounts = Readonly<Record<string, number>>;

export interface NestedOptions {
  readonly kernel: string;
  /** The outer machine's QEMU, which is in it, too. */
  readonly qemu: string;
  /** Guests' images, which the inner QEMU finds below /images. */
  readonly images: readonly string[];
}

export class NestedKvm {
  private readonly child: ChildProcess;
  private readonly folder: string;
  private lines: string[] = [];
  private partial = "";
  private look = () => {};
  /** What the outer machine and its QEMU have printed. */
  console = "";
  /** The last words of the inner QEMU. */
  readonly errors: string[] = [];
  /** Resolves with the exit status of the inner QEMU that was started last. */
  ended: Promise<number> = Promise.resolve(0);
  private end: (code: number) => void = () => {};

  private constructor(child: ChildProcess, folder: string) {
    this.child = child;
    this.folder = folder;
    child.stdout?.on("data", (text: Buffer) => {
      this.console += text;
    });
    child.stderr?.on("data", (text: Buffer) => {
      this.console += text;
    });
    this.port("init").on("data", (bytes: Buffer) => {
      const lines = (this.partial + bytes).split("\n");
      this.partial = lines.pop() ?? "";
      for (const line of lines) this.take(line);
    });
  }

  /** Resolves when its KVM can be used. */
  static async start(options: NestedOptions): Promise<NestedKvm> {
    const folder = await mkdtemp(join(tmpdir(), "ballonet-kvm-"));
    const initrd = join(folder, "initrd");
    await writeFile(initrd, cpio(await fileSystem(options, folder)));
    const ports = PORTS.flatMap((name, at) => [
      ...["-chardev", `socket,id=${name},fd=${FIRST_FD + at}`],
      ...["-device", `virtserialport,chardev=${name},nr=${at + 1}`],
    ]);
    const args = [
      ...["-M", "q35,accel=tcg", "-cpu", "max,la57=off", "-smp", "2", "-m", "1536M"],
      ...["-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio"],
      ...["-device", "virtio-serial-pci", ...ports, "-kernel", options.kernel],
      ...[
        "-initrd",
        initrd,
        "-append",
        "console=ttyS0 quiet tsc=reliable no_timer_check mitigations=off panic=-1",
      ],
    ];
    const stdio = ["ignore", "pipe", "pipe", ...PORTS.map(() => "pipe" as const)] as const;
    const child = spawn(options.qemu, args, { stdio: [...stdio] });
    const nested = new NestedKvm(child, folder);
    try {
      await nested.line(/^up$/, UP_MS);
      return nested;
    } catch (error) {
      await nested.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.child.kill("SIGKILL");
    await rm(this.folder, { recursive: true, force: true });
  }

  port(name: (typeof PORTS)[number]): Duplex {
    return this.child.stdio[FIRST_FD + PORTS.indexOf(name)] as unknown as Duplex;
  }

  say(line: string): void {
    this.port("init").write(`${line}\n`);
  }

  private take(line: string): void {
    const [, code] = /^exit (\d+)$/.exec(line) ?? [];
    if (code !== undefined) this.end(Number(code));
    else if (line.startsWith("err ")) this.errors.push(line.slice(4));
    else this.lines.push(line);
    this.errors.splice(0, this.errors.length - ERRORS_MAX);
    this.look();
  }

  /** Waits for a line of init that matches, and forgets those up to it. */
  private line(pattern: RegExp, limitMs: number): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const seen: string[] = [];
      const give = () => {
        this.look = () => {};
        const printed = [...seen, ...this.errors, this.console.slice(-500)].join(" | ");
        reject(new Error(`no ${pattern} within ${limitMs} ms: ${printed}`));
      };
      const timer = setTimeout(give, limitMs);
      this.look = () => {
        for (let line = this.lines.shift(); line !== undefined; line = this.lines.shift()) {
          const match = pattern.exec(line);
          seen.push(line);
          if (match === null) continue;
          clearTimeout(timer);
          this.look = () => {};
          resolve(match);
          return;
        }
      };
      this.look();
    });
  }

  async counts(): Promise<KvmCounts> {
    this.say("stat");
    const [, text = ""] = await this.line(/^stat (.*)$/, START_MS);
    return Object.fromEntries([...text.matchAll(/(\S+) (\d+)/g)].map(([, k, v]) => [k, Number(v)]));
  }

  /** Boots a guest on KVM. `image` is one of those that the machine was given. */
  async boot(options: QemuMachineOptions & { readonly image: string }): Promise<KvmGuest> {
    const image = join("/images", basename(options.image));
    const args = qemuArguments({ ...options, image }).map((arg) =>
      arg
        .replace("accel=tcg", "accel=kvm")
        .replace(/^socket,id=(qmp|com1|com2),fd=\d$/, (_, id: keyof typeof PORT_OF) => {
          return `pipe,id=${id},path=/dev/vport0p${PORT_OF[id]}`;
        }),
    );
    for (const arg of [...args, "-L", "/firmware"]) this.say(`arg ${arg}`);
    const guest = new KvmGuest(this, options);
    this.errors.length = 0;
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
    this.say("go");
    await this.line(/^started$/, START_MS);
    await guest.connect();
    return guest;
  }
}

/** A guest on KVM: what of a Vmm its tests need. */
export class KvmGuest {
  readonly log = new GuestLog();
  readonly control: ControlClient;
  readonly balloon: QemuBalloon;
  private readonly nested: NestedKvm;
  private readonly qmpStream: Duplex;
  private client: QmpClient | undefined;
  private readonly forget: (() => void)[] = [];

  constructor(nested: NestedKvm, { control = "com2", memoryBytes }: QemuMachineOptions) {
    this.nested = nested;
    this.control = new ControlClient({
      send: (bytes) => nested.port(control).write(bytes),
      logTail: () => this.log.tail(),
    });
    const shared = new SharedSerial({
      onLog: (bytes) => this.log.push(bytes),
      onControl: (bytes) => this.control.receive(bytes),
    });
    // The client closes its stream; the port is the next guest's, too.
    const qmp = nested.port("qmp");
    this.qmpStream = new Duplex({
      read: () => {},
      write: (bytes, _encoding, done) => qmp.write(bytes, done),
    });
    this.hear("qmp", (bytes) => this.qmpStream.push(bytes));
    this.hear("com1", (bytes) => {
      if (control === "com1") shared.push(bytes);
      else this.log.push(bytes);
    });
    this.hear("com2", (bytes) => this.control.receive(bytes));
    this.balloon = new QemuBalloon({
      execute: (command) => this.qmp.execute(command),
      memoryBytes,
      describeLog: () => this.log.tail().join(" | "),
    });
  }

  get qmp(): QmpClient {
    if (this.client === undefined) throw new Error("not connected");
    return this.client;
  }

  async connect(): Promise<void> {
    const ended = this.nested.ended.then((code) => {
      throw new Error(`QEMU has ended with ${code}: ${this.nested.errors.join(" | ")}`);
    });
    ended.catch(() => {});
    const connected = QmpClient.connect({ stream: this.qmpStream, timeoutMs: START_MS });
    this.client = await Promise.race([connected, ended]);
    await this.qmp.execute({ command: "cont", timeoutMs: START_MS });
  }

  /** Resolves with the exit status of the inner QEMU. */
  async ended(): Promise<number> {
    const code = await this.nested.ended;
    this.release("the guest has ended");
    return code;
  }

  private release(reason: string): void {
    this.client?.close();
    for (const forget of this.forget) forget();
    this.control.close(new Error(reason));
    this.log.close(new Error(reason));
  }

  private hear(port: "qmp" | "com1" | "com2", take: (bytes: Buffer) => void): void {
    const stream = this.nested.port(port);
    stream.on("data", take);
    this.forget.push(() => stream.off("data", take));
  }
}

/** The outer machine's files: init, modules, QEMU with its libraries and firmware, images. */
async function fileSystem(options: NestedOptions, folder: string): Promise<CpioEntry[]> {
  const init = join(folder, "init");
  const source = fileURLToPath(new URL("init.c", import.meta.url));
  await run("cc", ["-O1", "-o", init, source]);
  const modules = join(dirname(options.kernel), "modules");
  const files = new Map<string, string>([
    ["init", init],
    ["qemu", options.qemu],
    ...MODULES.map((name): [string, string] => [`modules/${name}.ko`, join(modules, `${name}.ko`)]),
    ...options.images.map((path): [string, string] => [`images/${basename(path)}`, path]),
    ...[...FIRMWARE, ...MORE_FIRMWARE].map((name): [string, string] => [`firmware/${name}`, name]),
  ]);
  for (const library of await libraries([init, options.qemu])) files.set(library.slice(1), library);
  const folders = new Set(["proc", "sys", "dev", "tmp"]);
  for (const name of files.keys()) {
    for (let at = name.indexOf("/"); at > 0; at = name.indexOf("/", at + 1)) {
      folders.add(name.slice(0, at));
    }
  }
  const order = MODULES.map((name) => `/modules/${name}.ko\n`).join("");
  const entries: CpioEntry[] = [...folders].sort().map((name) => ({ name }));
  entries.push({ name: "modules/order", bytes: Buffer.from(order) });
  for (const [name, path] of files) {
    entries.push({ name, bytes: await readFile(path.includes("/") ? path : await firmware(path)) });
  }
  return entries;
}

async function libraries(programs: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (const program of programs) {
    const { stdout } = await run("ldd", [program]);
    for (const [, path] of stdout.matchAll(/(\/\S+) \(0x/g)) found.add(path ?? "");
  }
  return found;
}

async function firmware(name: string): Promise<string> {
  for (const folder of ["/usr/share/seabios", "/usr/share/qemu"]) {
    const path = join(folder, name);
    if (
      await readFile(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  throw new Error(`no firmware ${name}`);
}
