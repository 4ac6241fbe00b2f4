/** base64 in the guest is that of Node, and refuses what it refuses. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { fromBase64, toBase64 } from "../../../runtime/guest/base64.ts";

const bytes = fc.array(fc.nat(255), { maxLength: 20 });

it("is that of Node, there and back", () => {
  fc.assert(
    fc.property(bytes, (codes) => {
      const text = String.fromCharCode(...codes);
      const encoded = toBase64(text);
      expect(encoded).toBe(Buffer.from(codes).toString("base64"));
      expect(fromBase64(encoded)).toBe(text);
      expect(fromBase64(` ${encoded.replace(/=/g, "")}\n`)).toBe(text);
    }),
  );
});

it.each(["A", "AAAAA", "AA=A", "A===", "ä", "AA-A"])("refuses %s", (text) => {
  expect(() => fromBase64(text)).toThrow("atob");
  expect(() => globalThis.atob(text)).toThrow();
});

it("refuses characters that are no bytes", () => {
  expect(() => toBase64("aĀ")).toThrow("btoa");
});
