/**
 * The smallest guest that can answer: a Multiboot ELF32, assembled here byte by byte.
 *
 * It knows no virtio. At boot it prints "tiny: boot N COMMAND-LINE" on COM1, where N counts in .bss
 * and is therefore 1 after every proper load. Then it polls COM2 and obeys single bytes: a line end
 * -> TINY_REPLY on COM2; L -> a line on COM1; Q -> exit with TINY_EXIT_CODE; H -> halt with
 * interrupts off; E -> the exit device of v86; F -> a fault that nobody handles, which resets a PC.
 * It ignores everything else.
 *
 * It never waits for anything but COM2, so it can be stopped and started anywhere.
 */

const TINY_REPLY = '{"jsonrpc":"2.0","id":1,"result":{"big":18446744073709551615}}\n';
export const TINY_EXIT_CODE = 42;

const BASE = 0x10_0000;
const ELF_HEADER_BYTES = 52;
const PROGRAM_HEADER_BYTES = 32;
const MULTIBOOT_AT = ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES;
const CODE_AT = MULTIBOOT_AT + 12;
const MULTIBOOT_MAGIC = 0x1bad_b002;
const WANTS_MEMORY_MAP = 2;
const COM1 = 0x3f8;
const COM2 = 0x2f8;
const BSS_BYTES = 64;

/** A label's place is known only at the end: four bytes that are filled in then. */
type Fix = { readonly at: number; readonly label: string; readonly relative: boolean };

class Assembler {
  readonly bytes: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #fixes: Fix[] = [];

  emit(...bytes: number[]): void {
    this.bytes.push(...bytes);
  }

  label(name: string): void {
    this.#labels.set(name, this.bytes.length);
  }

  /** `opcode` followed by the distance to, or the address of, `label`. */
  refer(opcode: number[], label: string, relative: boolean): void {
    this.emit(...opcode);
    this.#fixes.push({ at: this.bytes.length, label, relative });
    this.emit(0, 0, 0, 0);
  }

  finish(): Uint8Array {
    const image = Uint8Array.from(this.bytes);
    const view = new DataView(image.buffer);
    this.#labels.set("bss", this.bytes.length);
    for (const { at, label, relative } of this.#fixes) {
      const target = this.#labels.get(label);
      if (target === undefined) throw new Error(`no label ${label}`);
      view.setInt32(at, relative ? target - (at + 4) : BASE + target, true);
    }
    return image;
  }
}

/** The image's bytes: about 400, with a .bss of 64 more. */
export function tinyGuest(): Uint8Array<ArrayBuffer> {
  const asm = new Assembler();
  asm.emit(...new Array<number>(CODE_AT).fill(0));
  assemble(asm);
  const image = new Uint8Array(asm.finish());
  const view = new DataView(image.buffer);
  const half = (at: number, value: number): void => view.setUint16(at, value, true);
  const word = (at: number, value: number): void => view.setUint32(at, value, true);
  image.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  half(16, 2); // executable
  half(18, 3); // i386
  word(20, 1);
  word(24, BASE + CODE_AT); // entry
  word(28, ELF_HEADER_BYTES); // where the program headers are
  half(40, ELF_HEADER_BYTES);
  half(42, PROGRAM_HEADER_BYTES);
  half(44, 1);
  half(46, 40); // v86 complains of anything else, even without sections
  const segment = [1, 0, BASE, BASE, image.length, image.length + BSS_BYTES, 7, 0x1000];
  for (const [index, value] of segment.entries()) word(ELF_HEADER_BYTES + 4 * index, value);
  word(MULTIBOOT_AT, MULTIBOOT_MAGIC);
  word(MULTIBOOT_AT + 4, WANTS_MEMORY_MAP);
  word(MULTIBOOT_AT + 8, -(MULTIBOOT_MAGIC + WANTS_MEMORY_MAP) >>> 0);
  return image;
}

function assemble(asm: Assembler): void {
  const movDx = (port: number): void => asm.emit(0x66, 0xba, port & 0xff, port >> 8);
  const movAl = (value: number): void => asm.emit(0xb0, value);
  const call = (label: string): void => asm.refer([0xe8], label, true);
  const jump = (label: string): void => asm.refer([0xe9], label, true);
  const jumpIfZero = (label: string): void => asm.refer([0x0f, 0x84], label, true);
  const movEsi = (label: string): void => asm.refer([0xbe], label, false);
  const onByte = (character: string, label: string): void => {
    asm.emit(0x3c, character.charCodeAt(0)); // cmp al, imm8
    jumpIfZero(label);
  };

  asm.emit(0xbc, 0, 0, 9, 0); // mov esp, 0x90000
  asm.refer([0xfe, 0x05], "bss", false); // inc byte [bss]
  movDx(COM1);
  movEsi("boot");
  call("print");
  asm.refer([0xa0], "bss", false); // mov al, [bss]
  asm.emit(0x04, 0x30); // add al, '0'
  call("put");
  movAl(0x20);
  call("put");
  asm.emit(0x8b, 0x73, 0x10); // mov esi, [ebx + 16]: the command line
  call("print");
  movAl(0x0a);
  call("put");

  asm.label("listen");
  movDx(COM2 + 5);
  asm.emit(0xec, 0xa8, 1); // in al, dx; test al, 1
  jumpIfZero("listen");
  movDx(COM2);
  asm.emit(0xec);
  onByte("\n", "reply");
  onByte("L", "line");
  onByte("Q", "quit");
  onByte("H", "halt");
  onByte("E", "v86-exit");
  onByte("F", "fault");
  jump("listen");

  asm.label("reply");
  movEsi("canned");
  call("print");
  jump("listen");
  asm.label("line");
  movDx(COM1);
  movEsi("asked");
  call("print");
  jump("listen");
  asm.label("quit");
  movAl(TINY_EXIT_CODE);
  movDx(0x501);
  asm.emit(0xee); // out dx, al
  jump("listen");
  asm.label("v86-exit");
  movAl(TINY_EXIT_CODE);
  asm.emit(0xe6, 0xf4); // out 0xf4, al
  jump("listen");
  asm.label("fault");
  asm.emit(0x0f, 0x0b); // ud2, without an interrupt table
  asm.label("halt");
  asm.emit(0xfa, 0xf4); // cli; hlt
  jump("halt");

  asm.label("print"); // the string at esi, to the port in dx
  asm.emit(0xac, 0x84, 0xc0); // lodsb; test al, al
  jumpIfZero("printed");
  call("put");
  jump("print");
  asm.label("printed");
  asm.emit(0xc3);

  asm.label("put"); // al, to the port in dx, once its transmitter is empty
  asm.emit(0x88, 0xc4, 0x66, 0x83, 0xc2, 5); // mov ah, al; add dx, 5
  asm.label("busy");
  asm.emit(0xec, 0xa8, 0x20); // in al, dx; test al, 0x20
  jumpIfZero("busy");
  asm.emit(0x66, 0x83, 0xea, 5, 0x88, 0xe0, 0xee, 0xc3); // sub dx, 5; mov al, ah; out; ret

  const texts = { boot: "tiny: boot ", asked: "tiny: asked\r\n", canned: TINY_REPLY };
  for (const [label, text] of Object.entries(texts)) {
    asm.label(label);
    asm.emit(...new TextEncoder().encode(text), 0);
  }
}
