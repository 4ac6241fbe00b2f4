/**
 * The event loop of the program: one task a turn, in the order in which tasks are due. The kernel
 * runs the jobs of promises after each task, and calls `turn` again.
 *
 * The program ends by itself when no timer runs and nothing is served.
 */
import { formatError } from "./format.ts";
import { host, isGuest } from "./host.ts";

/** How a program ends that threw what nobody caught: EXIT.programFailed of the kernel. */
export const FAILED_CODE = 14;

interface Timer {
  readonly id: number;
  readonly run: () => void;
  readonly everyMs: number | undefined;
  dueMs: number;
}

/** Timers in no order: a program has few. The oldest of those that are due at once is first. */
const timers = new Map<number, Timer>();
let nextId = 1;

/** Takes messages from the driver. */
let onMessage: ((message: string) => void) | undefined;
/** Whether the program serves something. */
let isServing = false;
/** Rejected promises that nobody listens to, until the end of the task. */
const rejections = new Map<unknown, unknown>();

/** Prints an error with its stack and ends the program. */
export function fail(error: unknown): never {
  for (const line of `Uncaught ${formatError(error)}`.split("\n"))
    host.write("program.error: ", line);
  return host.exit(FAILED_CODE);
}

/** Starts a timer. Returns its id. */
export function startTimer(run: () => void, delayMs: unknown, repeats: boolean): number {
  const number = Number(delayMs);
  // As in a browser: less than 1 ms, and what is no number, is 1 ms.
  const ms = number >= 1 && number < 2 ** 31 ? Math.trunc(number) : 1;
  const id = nextId++;
  timers.set(id, { id, run, everyMs: repeats ? ms : undefined, dueMs: host.now() + ms });
  return id;
}

export function stopTimer(id: unknown): void {
  timers.delete(Number(id));
}

/** From now on messages of the driver go to `listener`. */
export function listen(listener: (message: string) => void): void {
  onMessage = listener;
}

/** From now on the program does not end by itself. */
export function stay(): void {
  isServing = true;
}

function firstTimer(): Timer | undefined {
  let first: Timer | undefined;
  for (const timer of timers.values()) {
    if (first === undefined || timer.dueMs < first.dueMs) first = timer;
  }
  return first;
}

function runTimer(timer: Timer): void {
  if (timer.everyMs === undefined) timers.delete(timer.id);
  else {
    // The map keeps the order of starting, so that a quick interval lets others have their turn.
    timers.delete(timer.id);
    timer.dueMs = Math.max(timer.dueMs + timer.everyMs, host.now());
    timers.set(timer.id, timer);
  }
  timer.run();
}

/** Does one task. Returns when the next is due, on the host's clock. */
function turn(): number {
  try {
    for (const reason of rejections.values()) fail(reason);
    const message = host.receive();
    if (message !== undefined) {
      onMessage?.(message);
      return 0;
    }
    const timer = firstTimer();
    if (timer === undefined) {
      return isServing ? Number.POSITIVE_INFINITY : host.exit(0);
    }
    if (timer.dueMs > host.now()) return timer.dueMs;
    runTimer(timer);
    return 0;
  } catch (error) {
    return fail(error);
  }
}

function rejected(promise: unknown, reason: unknown, isHandled: boolean): void {
  if (isHandled) rejections.delete(promise);
  else rejections.set(promise, reason);
}

if (isGuest) host.start(turn, rejected);
