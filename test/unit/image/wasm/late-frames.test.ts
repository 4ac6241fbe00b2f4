/** Which functions of wasm2c's C make their frame only where they need one. */
import { describe, expect, it } from "vitest";
import { lateFrames } from "../../../../src/image/wasm/late-frames.ts";

const START = `u32 w2c_m_f1(w2c_m* instance, u32 var_p0) {
  u32 var_l2 = 0, var_l3 = 0;
  FUNC_PROLOGUE;
  u32 var_i0, var_i1;
`;
const FRAME = `  var_i0 = wasm_rt_stack_pointer(instance->w2c_g0);
  var_i1 = 16u;
  var_i0 -= var_i1;
  var_l2 = var_i0;
  instance->w2c_g0 = var_i0;
`;
const READ = `  var_i0 = i32_load_default32(instance->w2c_a_a, (u64)(var_p0));
  var_l3 = var_i0;
`;
const CALL = "  var_i0 = w2c_m_f2(instance, var_i0);\n";
const LEAVE = "  if (var_i0) {goto var_B0;}\n";
const LEAVE_EARLY = LEAVE.replace("var_B0", "var_Bearly");
const BACK = `  var_i0 = var_l2;
  var_i1 = 16u;
  var_i0 += var_i1;
  instance->w2c_g0 = var_i0;
`;
const END = "  var_i0 = var_l3;\n  FUNC_EPILOGUE;\n  return var_i0;\n}\n";
const LAST = `  var_B0:;\n${BACK}${END}`;

const made = (text: string) => lateFrames(new Map([["a.c", text]])).get("a.c");

describe("a frame", () => {
  it("is made behind the last place where nothing has been done for which it is needed", () => {
    const text = [START, FRAME, READ, LEAVE, READ, LEAVE, READ, CALL, LEAVE, LAST].join("");
    const late = [
      ...[START, READ, LEAVE_EARLY, READ, LEAVE_EARLY, FRAME, READ, CALL, LEAVE],
      ...["  var_B0:;\n", BACK, "  var_Bearly:;\n", END],
    ].join("");
    const other = START.replace("f1", "f3") + END;
    expect(made(other + text + other + text)).toBe(other + late + other + late);
  });

  it.each([
    ["a call is the first", CALL + LEAVE],
    ["an indirect call is the first", `  var_i0 = CALL_INDIRECT(instance->w2c_T0, f);\n${LEAVE}`],
    ["a call of the host's is the first", `  w2c_a_b(instance->w2c_a_instance, 1u);\n${LEAVE}`],
    ["the frame is used", `  var_i0 = var_l2;\n${LEAVE}`],
    ["a loop starts", `  var_L1: \n${READ}${LEAVE}`],
    ["a block ends", `${READ}  var_B1:;\n${LEAVE}`],
    ["a block is opened", `  if (var_i0) {\n${READ}  }\n${LEAVE}`],
    ["it is left for another place", `  if (var_i0) {goto var_B5;}\n${LEAVE}`],
    ["it is not left", READ],
  ])("stays where it is if %s", (_, first) => {
    const text = START + FRAME + first + LAST;
    expect(made(text)).toBe(text);
  });

  it.each([
    ["behind that place there is another", LAST.replace(END, `  var_B7:;\n${END}`)],
    ["that place gives another one back", LAST.replace("16u", "32u")],
  ])("stays where it is if %s", (_, last) => {
    const text = START + FRAME + READ + LEAVE + last;
    expect(made(text)).toBe(text);
  });
});
