/** `atob` and `btoa` of the HTML standard, for texts whose characters are bytes. */

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const WHITE_SPACE = /[\t\n\f\r ]/g;

/** @throws Error for what is no base64. */
export function fromBase64(given: string): string {
  const text = String(given).replace(WHITE_SPACE, "");
  const digits = text.length % 4 === 0 ? text.replace(/={1,2}$/, "") : text;
  if (digits.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(digits)) {
    throw new Error("atob: a text in base64");
  }
  let bytes = "";
  let bits = 0;
  for (let at = 0; at < digits.length; at++) {
    bits = (bits << 6) | DIGITS.indexOf(digits[at] ?? "");
    // After four digits there are three bytes: one from each digit but the first.
    const left = 6 - 2 * (at % 4);
    if (left < 6) bytes += String.fromCharCode((bits >> left) & 0xff);
  }
  return bytes;
}

/** @throws Error for a character beyond a byte. */
export function toBase64(given: string): string {
  const bytes = String(given);
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const codes = [0, 1, 2].map((offset) => bytes.charCodeAt(at + offset));
    if (codes.some((code) => code > 0xff)) throw new Error("btoa: characters below U+0100");
    const bits = codes.reduce((sum, code) => (sum << 8) | (Number.isNaN(code) ? 0 : code), 0);
    const count = Math.min(3, bytes.length - at);
    for (let digit = 0; digit < 4; digit++) {
      text += digit > count ? "=" : (DIGITS[(bits >> (18 - 6 * digit)) & 63] ?? "");
    }
  }
  return text;
}
