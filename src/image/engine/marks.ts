/**
 * Finds the functions that tell the engine's garbage collector what functions that wait refer to,
 * and the `arguments` of a call. runtime/kernel/boot/suspended.c replaces them, and goes by the
 * offsets that are checked here.
 */
import { BuildTimeEngine, STACK_MARGIN_BYTES } from "./build-time-engine.ts";
import { type EnginePackage, engineError } from "./engine-package.ts";

/** Numbers of functions in the engine's table. */
export interface Marks {
  /** What goes on with an async function. */
  readonly resolve: number;
  readonly generator: number;
  readonly asyncGenerator: number;
  readonly arguments: number;
}

/** A class of objects: its number, its name, what frees one, what tells of one, and two more. */
const CLASS = { bytes: 24, marks: 12 } as const;
/** A runtime has its list of classes within so many words, and at least so many classes. */
const RUNTIME_WORDS = 256;
const CLASSES_MIN = 30;
const OBJECT = { class: 6, data: 32, references: 36, argumentsCount: 40 } as const;
const REFERENCE = { left: 5, frame: 28 } as const;
const FRAME = { references: 24, count: 32 } as const;
const ASYNC = { active: 32, frame: 56 } as const;
const GENERATOR = { state: 0, frame: 24 } as const;
const ASYNC_GENERATOR = { state: 4, frame: 24 } as const;
const ENDED = 4;
const ASYNC_ENDED = 5;

/** Three functions that wait, each with a closure that uses its one argument; and two arguments. */
const WAITING = `
  var uses = {};
  async function waits(x) { uses.waits = () => x; await new Promise((end) => (uses.end = end)); }
  function* yields(x) { uses.yields = () => x; yield; }
  async function* both(x) { uses.both = () => x; yield; }
  waits(1);
  var yielding = yields(1), bothing = both(1);
  yielding.next();
  bothing.next();
  var given = Function("x", "y", "return arguments")(1, 2);
`;
const ENDING = "yielding.next(); bothing.next();";
const JOBS_MAX = 100;

/** A runtime in which WAITING was evaluated. */
class Probe {
  private readonly engine: BuildTimeEngine;
  private readonly global: number;

  private constructor(engine: BuildTimeEngine) {
    this.engine = engine;
    this.global = engine.call("QTS_GetGlobalObject", engine.context);
  }

  static async start(engine: EnginePackage): Promise<Probe> {
    const made = new BuildTimeEngine(engine);
    await made.start(STACK_MARGIN_BYTES, () => 0);
    made.evaluate(WAITING, "waiting.js");
    return new Probe(made);
  }

  end(): void {
    const { engine } = this;
    engine.evaluate(ENDING, "ending.js");
    const scratch = engine.call("malloc", 8);
    engine.call("QTS_ExecutePendingJob", engine.runtime, JOBS_MAX, scratch);
  }

  private view(): DataView {
    return new DataView(this.engine.memory.buffer);
  }

  word(at: number): number {
    return this.view().getUint32(at, true);
  }

  half(at: number): number {
    return this.view().getUint16(at, true);
  }

  byte(at: number): number {
    return this.view().getUint8(at);
  }

  /** Returns the address of a variable's object. */
  object(name: string): number {
    return this.word(this.engine.get(this.global, name));
  }

  /** Returns the frame of a function that waits, by the reference of its closure. */
  frame(name: string): number {
    const closure = this.word(this.engine.get(this.engine.get(this.global, "uses"), name));
    const reference = this.word(this.word(closure + OBJECT.references));
    const frame = this.word(reference + REFERENCE.frame);
    check(`the frame of ${name}`, this.word(this.word(frame + FRAME.references)) === reference);
    check(`how many references ${name} has`, this.half(frame + FRAME.count) === 1);
    check(`a reference into the frame of ${name}`, this.byte(reference + REFERENCE.left) === 0);
    return frame;
  }

  /** Returns where the runtime's list of classes lies. */
  classes(): number {
    const { engine } = this;
    const numbers = Array.from({ length: CLASSES_MIN }, (_, index) => index + 1);
    const end = engine.memory.buffer.byteLength - CLASS.bytes * (CLASSES_MIN + 1);
    for (let at = engine.runtime; at < engine.runtime + 4 * RUNTIME_WORDS; at += 4) {
      const list = this.word(at);
      if (list > end) continue;
      if (numbers.every((number) => this.word(list + CLASS.bytes * number) === number)) return list;
    }
    throw marksError("no list of classes");
  }
}

const marksError = (seen: string) => engineError("the engine's garbage collector", seen);

function check(what: string, holds: boolean): void {
  if (!holds) throw marksError(`${what}: not where it is expected`);
}

function checkOffsets(probe: Probe): void {
  const waits = probe.frame("waits") - ASYNC.frame;
  const yields = probe.frame("yields") - GENERATOR.frame;
  const both = probe.frame("both") - ASYNC_GENERATOR.frame;
  check("a generator", probe.word(probe.object("yielding") + OBJECT.data) === yields);
  check("an async generator", probe.word(probe.object("bothing") + OBJECT.data) === both);
  check("whether a function waits", probe.byte(waits + ASYNC.active) === 1);
  check("a generator's state", probe.word(yields + GENERATOR.state) < ENDED);
  check("an async generator's state", probe.word(both + ASYNC_GENERATOR.state) < ENDED);
  const given = probe.object("given");
  const reference = probe.word(probe.word(given + OBJECT.references));
  check("arguments", probe.word(given + OBJECT.argumentsCount) === 2);
  check("a reference that has left", probe.byte(reference + REFERENCE.left) === 1);
  probe.end();
  check("a generator's end", probe.word(yields + GENERATOR.state) === ENDED);
  check("an async generator's end", probe.word(both + ASYNC_GENERATOR.state) === ASYNC_ENDED);
}

/** Finds them. Rejects with ImageError `engine` when something is not where it is expected. */
export async function findMarks(engine: EnginePackage): Promise<Marks> {
  const probe = await Probe.start(engine);
  const classes = probe.classes();
  const classOf = (name: string) =>
    classes + CLASS.bytes * probe.half(probe.object(name) + OBJECT.class);
  // The two classes behind that of async functions are how one goes on, and how one fails.
  const goesOn = classOf("waits") + CLASS.bytes;
  const fails = goesOn + CLASS.bytes;
  const marks: Marks = {
    resolve: probe.word(goesOn + CLASS.marks),
    generator: probe.word(classOf("yielding") + CLASS.marks),
    asyncGenerator: probe.word(classOf("bothing") + CLASS.marks),
    arguments: probe.word(classOf("given") + CLASS.marks),
  };
  check("how a function fails", probe.word(fails + CLASS.marks) === marks.resolve);
  check("four functions", new Set([0, ...Object.values(marks)]).size === 5);
  checkOffsets(probe);
  return marks;
}
