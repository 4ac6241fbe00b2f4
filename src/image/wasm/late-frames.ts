/**
 * Lets functions of wasm2c's C make their frames in linear memory late: behind what they do first,
 * where many find that they have nothing to do. Until there they then save no register, and the
 * compiler can put that part in the place of a call.
 */

/** A function's C up to its frame. */
const START = new RegExp(
  [
    String.raw`^\w+ \w+\(\w+\* instance[^{}]*\) \{\n(?: +[usf]\d\d [^;]*;\n)* +FUNC_PROLOGUE;\n`,
    String.raw`(?: +[usf]\d\d [^;]*;\n)*(?<frame>`,
    String.raw` {2}var_i0 = wasm_rt_stack_pointer\(instance->w2c_g0\);\n`,
    String.raw` {2}var_i1 = (?<bytes>\d+)u;\n {2}var_i0 -= var_i1;\n`,
    String.raw` {2}(?<base>var_\w+) = var_i0;\n {2}instance->w2c_g0 = var_i0;\n)`,
  ].join(""),
  "gm",
);
/** A statement that calls nothing, leaves the stack pointer alone and has no label. */
const PLAIN = / {2}(?!.*(?:\(instance[,)]|CALL_INDIRECT|w2c_a_\w+\(|UNREACHABLE|w2c_g0)).*;\n/y;
const LABEL = /:;\n$/;
const BRANCH = / {2}if \(var_i0\) \{goto (\w+);\}\n/y;

interface Frame {
  readonly frame: string;
  readonly bytes: string;
  readonly base: string;
}

/** Where a function gives its frame back before it returns: its label, and the end of that. */
function lastPart(
  body: string,
  { bytes, base }: Frame,
): { label: string; end: number } | undefined {
  const pattern = [
    String.raw` {2}(var_B\w+):;\n {2}var_i0 = ${base};\n {2}var_i1 = ${bytes}u;\n`,
    String.raw` {2}var_i0 \+= var_i1;\n {2}instance->w2c_g0 = var_i0;\n(?= [^{}:]*$)`,
  ];
  const found = new RegExp(pattern.join("")).exec(body);
  if (found === null) return undefined;
  return { label: found[1] as string, end: found.index + found[0].length };
}

/** Returns what is behind a frame with the frame in it; undefined: nothing leaves before. */
function moveFrame(body: string, frame: Frame): string | undefined {
  const last = lastPart(body, frame);
  if (last === undefined) return undefined;
  let end = 0;
  for (let at = 0; ; ) {
    BRANCH.lastIndex = PLAIN.lastIndex = at;
    const branch = BRANCH.exec(body);
    const [line] = branch ?? PLAIN.exec(body) ?? [""];
    if (line === "" || LABEL.test(line) || new RegExp(`\\b${frame.base}\\b`).test(line)) break;
    if (branch !== null && branch[1] !== last.label) break;
    at += line.length;
    if (branch !== null) end = at;
  }
  if (end === 0) return undefined;
  return [
    body.slice(0, end).replaceAll(`goto ${last.label};`, "goto var_Bearly;"),
    frame.frame,
    body.slice(end, last.end),
    "  var_Bearly:;\n",
    body.slice(last.end),
  ].join("");
}

function inText(text: string): string {
  const parts: string[] = [];
  let done = 0;
  for (const match of text.matchAll(START)) {
    const first = match.index + match[0].length;
    const end = text.indexOf("\n}\n", first) + 1;
    const frame = match.groups as unknown as Frame;
    const moved = moveFrame(text.slice(first, end), frame);
    if (moved === undefined) continue;
    parts.push(text.slice(done, first - frame.frame.length), moved);
    done = end;
  }
  return [...parts, text.slice(done)].join("");
}

/** All that decides which frames are late, for the digest that the C is kept under. */
export const LATE_RECIPE = [START, PLAIN, BRANCH].map(String).concat(moveFrame.toString()).join();

/** Returns the C, each file's text by its name, with such functions' frames made late. */
export function lateFrames(texts: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([...texts].map(([name, text]) => [name, inText(text)]));
}
