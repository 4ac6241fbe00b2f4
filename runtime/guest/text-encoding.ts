/**
 * `TextEncoder` and `TextDecoder` of the Encoding standard, for UTF-8, which is what programs use.
 */

const LABELS = ["utf-8", "utf8", "unicode-1-1-utf-8"];
const REPLACEMENT = "\ufffd";
const BYTE_ORDER_MARK = 0xfeff;
/** Characters that are joined at once: a call takes so many arguments. */
const PART_CHARS = 4096;

export class GuestTextEncoder {
  readonly encoding = "utf-8";

  encode(text = ""): Uint8Array {
    const bytes = new Uint8Array(3 * text.length);
    return bytes.slice(0, this.encodeInto(text, bytes).written);
  }

  encodeInto(text: string, into: Uint8Array): { read: number; written: number } {
    let read = 0;
    let written = 0;
    for (const character of text) {
      let code = character.codePointAt(0) ?? 0;
      if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
      const length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4;
      if (written + length > into.length) break;
      if (length === 1) into[written] = code;
      else {
        for (let at = length - 1; at > 0; at--) {
          into[written + at] = 0x80 | (code & 0x3f);
          code >>= 6;
        }
        into[written] = ((0xf0 << (4 - length)) & 0xff) | code;
      }
      written += length;
      read += character.length;
    }
    return { read, written };
  }
}

interface DecoderOptions {
  readonly fatal?: boolean;
  readonly ignoreBOM?: boolean;
}

export class GuestTextDecoder {
  readonly encoding = "utf-8";
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  /** The start of a character whose rest comes later. */
  private rest: readonly number[] = [];
  private isStart = true;

  constructor(label = "utf-8", { fatal = false, ignoreBOM = false }: DecoderOptions = {}) {
    if (!LABELS.includes(label.trim().toLowerCase())) {
      throw new RangeError(`TextDecoder: "${label}"; there is utf-8`);
    }
    this.fatal = fatal;
    this.ignoreBOM = ignoreBOM;
  }

  decode(input?: ArrayBuffer | ArrayBufferView, { stream = false } = {}): string {
    const given =
      input === undefined
        ? new Uint8Array()
        : ArrayBuffer.isView(input)
          ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
          : new Uint8Array(input);
    const bytes = this.rest.length > 0 ? Uint8Array.from([...this.rest, ...given]) : given;
    this.rest = [];
    const codes: number[] = [];
    let text = "";
    const flush = (): void => {
      text += String.fromCodePoint(...codes);
      codes.length = 0;
    };
    for (let at = 0; at < bytes.length; ) {
      const { code, length } = next(bytes, at);
      if (code === undefined && stream && at + length === bytes.length && isOpen(bytes, at)) {
        this.rest = [...bytes.subarray(at)];
        break;
      }
      if (code === undefined && this.fatal) throw new TypeError("TextDecoder: no UTF-8");
      const isMark = this.isStart && code === BYTE_ORDER_MARK && !this.ignoreBOM;
      if (!isMark) codes.push(code ?? (REPLACEMENT.codePointAt(0) as number));
      this.isStart = false;
      at += length;
      if (codes.length >= PART_CHARS) flush();
    }
    if (!stream) this.isStart = true;
    flush();
    return text;
  }
}

/** The least and the greatest second byte of a character (Unicode 15, table 3-7). */
function second(lead: number): readonly [least: number, greatest: number] {
  if (lead === 0xe0) return [0xa0, 0xbf];
  if (lead === 0xed) return [0x80, 0x9f];
  if (lead === 0xf0) return [0x90, 0xbf];
  if (lead === 0xf4) return [0x80, 0x8f];
  return [0x80, 0xbf];
}

function lengthOf(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/** Returns the character at `at`, or no code and how many bytes are wrong together. */
function next(bytes: Uint8Array, at: number): { code: number | undefined; length: number } {
  const lead = bytes[at] ?? 0;
  const whole = lengthOf(lead);
  if (whole === 0) return { code: undefined, length: 1 };
  if (whole === 1) return { code: lead, length: 1 };
  let code = lead & (0x7f >> whole);
  for (let index = 1; index < whole; index++) {
    const byte = bytes[at + index];
    const [least, greatest] = index === 1 ? second(lead) : [0x80, 0xbf];
    if (byte === undefined || byte < least || byte > greatest) {
      return { code: undefined, length: index };
    }
    code = (code << 6) | (byte & 0x3f);
  }
  return { code, length: whole };
}

/** Whether the bytes from `at` to the end may be the start of a character. */
function isOpen(bytes: Uint8Array, at: number): boolean {
  return bytes.length - at < lengthOf(bytes[at] ?? 0);
}
