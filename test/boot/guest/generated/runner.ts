/**
 * What runs generated programs in a guest: those whose seeds are its arguments, one after another.
 *
 * An argument is a seed, or a seed and the statements of it that are left: `12:0,3`. With the word
 * `show` the guest prints the programs and runs none.
 */
import { args, exit, memory, notify, serve } from "../../../../runtime/guest/index.ts";
import { type GeneratedProgram, generatedProgram } from "./generated-program.ts";

/** So much a body may do, and so long it may take or wait. */
const STEPS_MAX = 3000;
const BODY_MS = 4000;
const WAIT_MS = 40;
const KEPT_MAX = 50;

const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
const { apply, ownKeys, getOwnPropertyDescriptor } = Reflect;
const { setTimeout: start, setInterval: repeat, clearTimeout: stop } = globalThis;
const then = Promise.prototype.then;
const ignore = () => {};

function quiet<T>(value: T): T {
  if (value instanceof Promise) void apply(then, value, [ignore, ignore]);
  return value;
}

/** Whose calls would break what other bodies need. */
const NOT_CALLED = ["constructor", "getPrototypeOf", "setPrototypeOf", "fromAsync"];

/** Returns the name of a method of the object: which one does not matter. */
function method(owner: object, at: number): PropertyKey {
  const names = ownKeys(owner).filter(
    (name) =>
      typeof getOwnPropertyDescriptor(owner, name)?.value === "function" &&
      !NOT_CALLED.includes(String(name)),
  );
  return names[at % names.length] ?? "toString";
}

function call(owner: object, at: number, self: unknown, values: readonly unknown[]): unknown {
  const callee = (owner as Record<PropertyKey, unknown>)[method(owner, at)];
  return quiet(apply(callee as () => unknown, self, values));
}

/** What a body of its own kind gets, and what ends it. */
class Room {
  private readonly isAlone: boolean;
  private readonly timers: unknown[] = [];
  private readonly endMs = performance.now() + BODY_MS;
  private steps = 0;
  readonly kept: unknown[] = [];

  constructor(isAlone: boolean) {
    this.isAlone = isAlone;
  }

  names(): Record<string, unknown> {
    const own = { kept: this.kept, quiet, call, caught, method, memory, notify, serve };
    const step = () => this.step();
    const keep = (value: unknown) => {
      if (this.kept.length > KEPT_MAX) this.kept.length = 0;
      this.kept[this.kept.length] = value;
    };
    if (this.isAlone) return { ...own, step: () => true, keep };
    const timer = (begin: typeof start) => (task: () => void, ms: number) => {
      const id = begin(() => {
        try {
          task();
        } catch {
          // A body's own.
        }
      }, ms);
      this.timers.push(id);
      return id;
    };
    return { ...own, step, keep, setTimeout: timer(start), setInterval: timer(repeat as never) };
  }

  private step(): true {
    if (++this.steps > STEPS_MAX || performance.now() > this.endMs) throw new Error("enough");
    return true;
  }

  end(): void {
    this.steps = STEPS_MAX;
    for (const id of this.timers) stop(id as number);
  }
}

const programs = args
  .filter((word) => word !== "show")
  .map((word) => {
    const [seed = "", left] = word.split(":");
    const whole = generatedProgram(Number(seed));
    const numbers = left?.split(",").map(Number);
    const statements = whole.statements.filter((_, at) => numbers?.includes(at) ?? true);
    return { seed: Number(seed), ...whole, statements };
  });

/** How many statements of bodies have thrown, by the names of what they threw. */
const told: Record<string, number> = {};

function caught(error: unknown): void {
  const name = error instanceof Error ? error.constructor.name : typeof error;
  told[name] = (told[name] ?? 0) + 1;
}

/** Runs a body; whatever it throws is counted. */
async function runBody({ statements, isAlone }: GeneratedProgram): Promise<void> {
  const room = new Room(isAlone);
  const names = room.names();
  const each = isAlone ? statements : statements.map((it) => `try${it}catch(e){caught(e)}`);
  const source = each.join("\n");
  const main = new AsyncFunction(...Object.keys(names), source);
  const done = apply(main, undefined, Object.values(names)) as Promise<void>;
  if (isAlone) return await done;
  await Promise.race([quiet(done), new Promise((late) => start(late, WAIT_MS))]).catch(caught);
  room.end();
  await new Promise((late) => start(late, 1));
}

async function runAll(): Promise<void> {
  for (const program of programs) {
    console.log(`generated: at ${program.seed}`);
    await runBody(program);
  }
  console.log(`generated: done ${JSON.stringify(told)}`);
}

if (args.includes("show")) {
  for (const { statements } of programs) for (const it of statements) console.log(it);
  exit(0);
}
serve("go", () => {
  start(() => void runAll(), 1);
  return null;
});
serve("stop", () => exit(0));
console.log("generated: ready");
