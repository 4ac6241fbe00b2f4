/**
 * What the kernel offers to the user's program, as the global `ballonetHost`: one function for each
 * of runtime/kernel/boot/program.c. The start of the program takes the global away.
 */

/** See the file's header. */
export interface Host {
  /** Milliseconds since boot, fractional; never goes back. */
  now(): number;
  /** Whether this machine has a clock that knows the date. */
  knowsDate(): boolean;
  /** Writes one line of the log: the label, then the text, which has no line end in it. */
  write(label: string, text: string): void;
  /** Sends a message to the driver: see runtime/kernel/program-channel.ts. */
  send(message: string): void;
  /** Returns the oldest message from the driver; undefined: there is none. */
  receive(): string | undefined;
  commandLine(): string;
  /** Ends the machine. */
  exit(code: number): never;
  /**
   * Returns an ArrayBuffer of so many bytes, all 0, in frames of the ledger; undefined: there are
   * too few. Its frames go back when it is detached, or not referred to any more. To give it
   * another length in place would free it as if the engine had allocated it: see memory.ts.
   */
  allocate(bytes: number): ArrayBuffer | undefined;
  /** Collects the program's garbage. */
  collect(): void;
  /** Returns how many pages of 4 KiB are of a kind: one of PAGES. */
  pages(kind: number): number;
  /** Tells the driver how many bytes the program's caches could give. */
  offer(bytes: number): void;
  /** Lets the driver have its turn now. */
  yield(): void;
  /**
   * From now on `turn` is called for each turn of the program: it does at most one task, and
   * returns when it wants the next. `rejected` is called when a promise is rejected that nobody
   * listens to, and again with `isHandled` when somebody does.
   */
  start(
    turn: () => number,
    rejected: (promise: unknown, reason: unknown, isHandled: boolean) => void,
  ): void;
}

/**
 * Kinds of pages: free, in the balloon or on the way, in ArrayBuffers of the ledger, and those
 * behind the heap that the program and the driver share.
 */
export const PAGES = { free: 0, balloon: 1, buffers: 2, heap: 3 } as const;

const GLOBAL = "ballonetHost";

/** A function of the host where there is none, such as in a test that runs in Node. */
function absent(): never {
  throw new Error("ballonet/guest works in a guest only: run the program with `ballonet run`");
}

const ABSENT: Host = {
  now: absent,
  knowsDate: absent,
  write: absent,
  send: absent,
  receive: absent,
  commandLine: () => "",
  exit: absent,
  allocate: absent,
  collect: absent,
  pages: absent,
  offer: absent,
  yield: absent,
  start: absent,
};

const given = (globalThis as { [GLOBAL]?: Host })[GLOBAL];
if (given !== undefined) Reflect.deleteProperty(globalThis, GLOBAL);

/** The kernel's functions. */
export const host: Host = given ?? ABSENT;
/** Whether this program runs in a guest. */
export const isGuest = given !== undefined;
