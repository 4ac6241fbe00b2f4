/** Mistakes in hinting, reporting and poison. */
import type { Mutant } from "./mutant.ts";

const EMBED = "src/embed/create-balloon.ts";
const HINTING = "runtime/balloon/free-page-hinting.ts";
const LEDGER = "assembly/ledger/ledger.ts";
const PLAN = "runtime/balloon/bring-up-plan.ts";
const DEVICE_CONFIG = "runtime/balloon/config.ts";
const RANGES = "assembly/queues/ranges.ts";
const REPORTING = "runtime/balloon/free-page-reporting.ts";

const POST_HINT = "post(ring, address(first), length << FRAME_SHIFT, IN);";
const POST_COMMAND = "post(ring, <u64>ptr, COMMAND_BYTES, OUT);";
const START = 'if (this.state.name === "starting" && queues.postHintCommand(this.state.run)) {';
const FILL = "new Uint32Array(memory.buffer, (first >>> 0) * FRAME_BYTES, words).fill(value);";

export const freePageMutants: readonly Mutant[] = [
  {
    id: "sends commands of eight bytes",
    file: RANGES,
    find: POST_COMMAND,
    replace: "post(ring, <u64>ptr, 8, OUT);",
    breaks: "D21-SIZE",
    scenario: "hinting",
  },
  {
    id: "begins a block with the next run's id",
    file: HINTING,
    find: START,
    replace: START.replace("this.state.run)", "this.state.run + 1)"),
    breaks: "D21-ID",
    scenario: "hinting",
  },
  {
    id: "hints without saying for which run",
    file: HINTING,
    find: START,
    replace: 'if (this.state.name === "starting") {',
    breaks: "D21-START",
    scenario: "hinting",
  },
  {
    id: "begins every run twice",
    file: HINTING,
    find: START,
    replace:
      'if (this.state.name === "starting" && queues.postHintCommand(this.state.run) &&' +
      " queues.postHintCommand(this.state.run)) {",
    breaks: "D21-ONCE",
    scenario: "hinting",
  },
  {
    id: "never says that it has no more",
    file: HINTING,
    find: 'if (this.state.name === "ending" && queues.postHintCommand(COMMAND_STOP)) {',
    replace: 'if (this.state.name === "ending") {',
    breaks: "D21-STOP",
    scenario: "hinting",
  },
  {
    id: "never hints",
    file: HINTING,
    find: 'const isNew = state.name === "idle" || state.run !== command;',
    replace: "const isNew = command < 0;",
    breaks: "D22",
    scenario: "hinting",
  },
  {
    id: "takes the want of an id for STOP whenever it looks",
    file: HINTING,
    find: 'return this.state.name !== "hinting" || changedMs - this.foundMs >= ANNOUNCEMENT_MS;',
    replace: "return true;",
    breaks: "B-HINT-WHOLE",
    scenario: "hinting, a host that shows no id meanwhile",
  },
  {
    id: "takes the word that there is a run for a word on its end",
    file: HINTING,
    find: "changedMs - this.foundMs >= ANNOUNCEMENT_MS;",
    replace: "changedMs >= this.foundMs;",
    breaks: "B-HINT-WHOLE",
    scenario: "hinting, the same, and the guest finds the run by itself",
  },
  {
    id: "forgets what it was told at a bad time",
    file: HINTING,
    find: "return this.changedMs !== undefined && this.heedsCommand;",
    replace: "return false;",
    breaks: "B-HINT-BACK",
    scenario: "hinting, over before it has begun",
  },
  {
    id: "hints on though the host has said STOP",
    file: HINTING,
    find: "const isOver = command === COMMAND_STOP || command === COMMAND_DONE;",
    replace:
      'if (command === COMMAND_STOP && state.name !== "idle") return state;\n' +
      "  const isOver = command === COMMAND_STOP || command === COMMAND_DONE;",
    breaks: "D22-STOP",
    scenario: "hinting, paused",
  },
  {
    id: "begins the next run before the last one's pages are back",
    file: HINTING,
    find: 'if (!this.releaseDue || this.state.name !== "starting") this.advance(bounds);',
    replace: "this.advance(bounds);",
    breaks: "D21-ONCE",
    scenario: "hinting, the next run amid the last",
  },
  {
    id: "marks hinted pages that came back",
    file: RANGES,
    find: "for (; id >= 0; id = take(ring)) taken += 1;",
    replace: `for (; id >= 0; id = take(ring)) {
    taken += 1;
    store<u32>(<usize>load<u64>(ring.descriptorPtr + ((<usize>id) << 4)), 0);
  }`,
    breaks: "D24",
    scenario: "hinting",
  },
  {
    id: "gives hinted pages to the guest as soon as the host has seen them",
    file: HINTING,
    find: 'this.change({ name: "stop-posted" });',
    replace: 'this.change({ name: "stop-posted" });\n      queues.releaseHints();',
    breaks: "B-HINT-KEEP",
    scenario: "hinting",
  },
  {
    id: "keeps hinted pages for ever",
    file: HINTING,
    find: "this.queues.releaseHints();",
    replace: "",
    breaks: "B-HINT-BACK",
    scenario: "hinting",
  },
  {
    id: "remembers the id of a run that is done",
    file: HINTING,
    find: 'this.change({ name: "command", command, keepsPages });',
    replace: `const memory = this as { last?: number };
    if (command > COMMAND_DONE && memory.last === command) return;
    if (command > COMMAND_DONE) memory.last = command;
    this.change({ name: "command", command, keepsPages });`,
    breaks: "B-HINT-AGAIN",
    scenario: "hinting, the same id for every run",
  },
  {
    id: "accepts PAGE_POISON and fills nothing",
    file: "assembly/poison.ts",
    find: "if (poisoned || scrubsReturned) fill(first, length, poison);",
    replace: "if (scrubsReturned) fill(first, length, poison);",
    breaks: "D2",
    scenario: "poison",
  },
  {
    id: "fills half of what comes back",
    file: EMBED,
    find: FILL,
    replace: FILL.replace(
      ".fill(value);",
      ".forEach((_, word, all) => { if (word % 2 === 0) all[word] = value; });",
    ),
    breaks: "D25",
    scenario: "poison",
  },
  {
    id: "tells nobody what it fills pages with",
    file: DEVICE_CONFIG,
    find: "this.transport.writeConfig(BALLOON_CONFIG.poisonVal, value);",
    replace: "",
    breaks: "D25-SET",
    scenario: "poison",
  },
  {
    id: "changes its mind on what it fills pages with",
    file: PLAN,
    find: "afterDriverOk: () => {",
    replace: `afterDriverOk: (negotiation) => {
      if (hasFeature(negotiation.negotiated, BALLOON_FEATURE.PAGE_POISON)) {
        settlePoison(plan, negotiation, device?.config);
      }`,
    breaks: "D25-KEEP",
    scenario: "poison",
  },
  {
    id: "reports pages that it did not fill",
    file: RANGES,
    find: "initialiseReport(firstOf(run), lengthOf(run));\n    reportFrames(",
    replace: "reportFrames(",
    breaks: "D26",
    scenario: "reporting, poison",
  },
  {
    id: "reports memory that must keep its value to a host that does not know it",
    file: PLAN,
    find: "accept &= ~featureSet(BALLOON_FEATURE.PAGE_REPORTING);",
    replace: "accept |= 0n;",
    breaks: "B-POISON-REPORT",
    scenario: "reporting, a guest that fills and a host that does not know",
  },
  {
    id: "takes hinted memory for what it was",
    file: LEDGER,
    find: "initialise(firstOf(run), lengthOf(run));",
    replace: "if (state != HINTED) initialise(firstOf(run), lengthOf(run));",
    breaks: "B-FILLED",
    scenario: "poison, whatever comes back",
  },
  {
    id: "takes memory for what it was after a reset",
    file: LEDGER,
    find: "initialise(firstOf(run), lengthOf(run));",
    replace: "if (state != HELD) initialise(firstOf(run), lengthOf(run));",
    breaks: "B-FILLED",
    scenario: "poison, whatever comes back",
  },
  {
    id: "fills nothing for a host that does not know of it",
    file: PLAN,
    find: "core.poison_set(poison);",
    replace: "if (hasFeature(negotiated, BALLOON_FEATURE.PAGE_POISON)) core.poison_set(poison);",
    breaks: "B-FILLED",
    scenario: "poison, unknown to the host",
  },
  {
    id: "lets the guest use pages whose report is on its way",
    file: LEDGER,
    find: "  move(first, length, FREE, REPORTING);",
    replace: "",
    and: [{ file: LEDGER, find: "  move(first, length, REPORTING, FREE);", replace: "" }],
    breaks: "D27",
    scenario: "reporting, slow",
  },
  {
    id: "forgets what it has reported",
    file: LEDGER,
    find: "  move(first, length, FREE, REPORTING);",
    replace: "",
    and: [{ file: LEDGER, find: "  move(first, length, REPORTING, FREE);", replace: "" }],
    breaks: "Q-RANGE-TWICE",
    scenario: "reporting",
  },
  {
    id: "reports a block in halves",
    file: RANGES,
    find: `    writeEntry(ring, table, ranges, run);
    store<u64>(runs + ((<usize>ranges) << 3), run);
    frames += lengthOf(run);
    ranges += 1;`,
    replace: `    const whole = lengthOf(run);
    for (let part: u32 = 0; part < 2; part++) {
      const start = firstOf(run) + part * (whole >> 1);
      const half = <u64>start | ((<u64>(whole >> 1)) << 32);
      writeEntry(ring, table, ranges, half);
      store<u64>(runs + ((<usize>ranges) << 3), half);
      ranges += 1;
    }
    frames += whole;`,
    and: [
      {
        file: RANGES,
        find: "const RANGE_BLOCKS: u32 = 2;",
        replace: "const RANGE_BLOCKS: u32 = 1;",
      },
    ],
    breaks: "D28",
    scenario: "reporting",
  },
  {
    id: "makes indirect tables longer than their queue",
    file: RANGES,
    find: "min(RANGES_MAX, ring.size)",
    replace: "RANGES_MAX",
    breaks: "R-CHAIN-LENGTH",
    scenario: "reporting, rings of two",
  },
  {
    id: "makes a packed ring's tables longer than the ring",
    file: RANGES,
    find: "min(RANGES_MAX, ring.size)",
    replace: "RANGES_MAX",
    breaks: "R-CHAIN-LENGTH",
    scenario: "reporting, packed rings of two",
  },
  {
    id: "leaves the last range of a packed report device-readable",
    file: RANGES,
    find: "if ((ring.features & PACKED) != 0) return;",
    replace: `if ((ring.features & PACKED) != 0) {
    store<u16>(tablePtr + ((<usize>(ranges - 1)) << DESCRIPTOR_SHIFT), OUT, 14);
    return;
  }`,
    breaks: "R-WRITE-ORDER",
    scenario: "reporting, packed rings",
  },
  {
    id: "uses every other entry of a table though it promised an order",
    file: RANGES,
    find: "const entry = tablePtr + ((<usize>index) << DESCRIPTOR_SHIFT);",
    replace: "const entry = tablePtr + ((<usize>index) << 5);",
    and: [
      {
        file: RANGES,
        find: "IN | NEXT | ((index + 1) << 16)",
        replace: "IN | NEXT | ((index + 1) << 17)",
      },
      {
        file: RANGES,
        find: "store<u32>(tablePtr + ((<usize>(ranges - 1)) << DESCRIPTOR_SHIFT), IN, 12);",
        replace: "store<u32>(tablePtr + ((<usize>(ranges - 1)) << 5), IN, 12);",
      },
      {
        file: RANGES,
        find: "min(RANGES_MAX, ring.size)",
        replace: "(min(RANGES_MAX, ring.size) >> 1)",
      },
      { file: RANGES, find: "ranges << DESCRIPTOR_SHIFT, TABLE", replace: "ranges << 5, TABLE" },
    ],
    breaks: "R-IN-ORDER-NEXT",
    scenario: "reporting, buffers in order",
  },
  {
    id: "reports what is free over and over",
    file: LEDGER,
    find: "for (let block = first >> BLOCK_SHIFT; block < end; block++) remove(unreportedPtr, block);",
    replace: "assert(end != NONE);",
    breaks: "B-REPORT-ONCE",
    scenario: "reporting, a bounded pace",
  },
  {
    id: "reports all that is free at once",
    file: REPORTING,
    find: "this.isAnswered ? this.left : BLOCK_FRAMES",
    replace: "this.isAnswered ? 0x7fff_ffff : BLOCK_FRAMES",
    breaks: "B-REPORT-PACE",
    scenario: "reporting, a bounded pace",
  },
  {
    id: "makes reports device-readable",
    file: RANGES,
    find: "post(ring, address(load<u32>(runs)), frames << FRAME_SHIFT, IN);",
    replace: "post(ring, address(load<u32>(runs)), frames << FRAME_SHIFT, OUT);",
    breaks: "Q-REPORT-WRITABLE",
    scenario: "reporting",
  },
  {
    id: "gives a hint's length less one",
    file: RANGES,
    find: POST_HINT,
    replace: "post(ring, address(first), (length << FRAME_SHIFT) - 1, IN);",
    breaks: "Q-RANGE-ALIGN",
    scenario: "hinting",
  },
  {
    id: "hints four frames too high",
    file: RANGES,
    find: POST_HINT,
    replace: "post(ring, address(first + 4), length << FRAME_SHIFT, IN);",
    breaks: "Q-RANGE-MEMORY",
    scenario: "hinting, all there is",
  },
  {
    id: "hints what is in the balloon",
    file: LEDGER,
    find: "moveInBlock(first, length, FREE, HINTED);",
    replace: "moveInBlock(first, length, HELD, HINTED);",
    and: [{ file: RANGES, find: "const run = find(FREE,", replace: "const run = find(4," }],
    breaks: "Q-RANGE-HELD",
    scenario: "hinting, a guest and a host in need",
  },
];
