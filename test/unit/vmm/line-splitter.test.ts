/** Bytes as lines, however they were cut. */
import { expect, test } from "vitest";
import { LineSplitter } from "../../../src/vmm/line-splitter.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test("lines come out the same however the bytes were cut", () => {
  const bytes = text("one\r\ntwo \u00e4\u20ac\n\nlong line\nlast");
  for (let size = 1; size <= bytes.length; size += 1) {
    const lines: string[] = [];
    const splitter = new LineSplitter({
      maxBytes: 8,
      onLine: (line) => lines.push(line),
      onOversize: (head) => lines.push(`!${head}`),
    });
    for (let at = 0; at < bytes.length; at += size) splitter.push(bytes.subarray(at, at + size));
    expect([...lines, splitter.partial]).toEqual([
      "one",
      "!two \u00e4\ufffd",
      "",
      "!long lin",
      "last",
    ]);
  }
});
