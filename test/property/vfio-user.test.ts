/** Whatever a client of vfio-user sends, the server answers it or cuts it off, and never falls. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { COMMAND, TRIGGER } from "../../src/judge/vfio-user/messages.ts";
import { request, served } from "../support/vfio-client.ts";
import { settingsFor } from "./settings.ts";

const settings = settingsFor("vfio-user");

/** Numbers that a client would use, and others. */
const word = fc.oneof(
  fc.integer({ min: 0, max: 40 }),
  fc.constantFrom(0x1000, 0xffff, 0xffff_ffff, 0x8000_0000),
  fc.nat(0xffff_ffff),
);

const sensible = fc
  .record({
    command: fc.oneof(fc.constantFrom(...Object.values(COMMAND)), fc.nat(0xffff)),
    words: fc.array(word, { maxLength: 12 }),
    tail: fc.uint8Array({ maxLength: 8 }),
  })
  .map(({ command, words, tail }) => {
    const bytes = Buffer.alloc(words.length * 4);
    for (const [at, value] of words.entries()) bytes.writeUInt32LE(value >>> 0, at * 4);
    return request(command, Buffer.concat([bytes, tail]));
  });

const noise = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes));

it("no bytes make the server throw, answer twice, or go on after a broken message", () => {
  const piece = fc.oneof({ weight: 9, arbitrary: sensible }, { weight: 1, arbitrary: noise });
  const property = fc.property(fc.array(piece, { maxLength: 40 }), fc.boolean(), (pieces, runs) => {
    const { server, sent, ends, device } = served({ vectors: 2 });
    server.guestRuns = runs;
    for (const bytes of pieces) {
      const before = sent.length;
      server.receive(bytes);
      const replies = sent.slice(before).filter(({ command }) => command !== TRIGGER);
      const messages = Math.ceil(bytes.length / 16) + 4;
      expect(replies.length).toBeLessThanOrEqual(messages);
      device.advance(1);
    }
    expect(ends.length).toBeLessThanOrEqual(1);
    if (ends.length === 1) {
      const before = sent.length;
      server.receive(request(COMMAND.getInfo));
      expect(sent.length).toBe(before);
    }
  });
  fc.assert(property, settings(500));
});
