/**
 * Which failure an error of this package is. Each error that somebody can act on is exactly one
 * `Failure`; any other error is a bug and stays an ordinary error.
 */
import { relative } from "node:path";
import { type ActionError, BallonetError } from "../../runtime/index.ts";
import { type Failure, FailureError, type FailureKind } from "../failure.ts";
import { ImageError } from "../image/errors.ts";
import { cacheFolder, missingPackage } from "../package.ts";
import { VmmError } from "../vmm/errors.ts";

const IMAGE_KINDS: Readonly<Record<ImageError["code"], FailureKind>> = {
  "no-compiler": "missing",
  core: "missing",
  engine: "missing",
  compile: "missing",
  convert: "emulator",
  bundle: "usage",
  image: "usage",
  package: "missing",
  program: "usage",
};

const VMM_KINDS: Readonly<Record<VmmError["code"], FailureKind>> = {
  option: "usage",
  image: "usage",
  "qemu-not-found": "missing",
  "v86-internals": "missing",
  "exited-early": "emulator",
  exited: "guest",
  timeout: "guest",
  closed: "emulator",
  protocol: "emulator",
  migration: "emulator",
  "qmp-command": "emulator",
  "control-reply": "guest",
  "no-balloon": "usage",
  "not-supported": "usage",
};

/** The user of a program has options where a caller of src/vmm has parameters. */
const TIMEOUT_TODO =
  "see the guest's log for the reason (--verbose), or allow more time (--timeout)";

/** Returns the failure that `error` is; undefined for an error that is not of this package. */
export function failureOf(error: unknown): Failure | undefined {
  if (error instanceof FailureError) return error;
  if (error instanceof VmmError) {
    const failure = failureFrom(VMM_KINDS[error.code], error);
    return error.code === "timeout" ? { ...failure, todo: TIMEOUT_TODO } : failure;
  }
  if (error instanceof ImageError) return failureFrom(IMAGE_KINDS[error.code], error);
  if (error instanceof BallonetError) return failureFrom("usage", error);
  const absent = missingPackage(error);
  return absent === undefined ? failureOfFile(error) : { kind: "missing", ...absent };
}

/**
 * Errors that the system gives without a path: a full disk, a folder that is read as a file, or a
 * user without a home.
 */
const PLACELESS = ["ENOSPC", "EDQUOT", "EFBIG", "EISDIR", "EROFS", "EIO", "ERR_SYSTEM_ERROR"];

/** The failure of a file or folder that cannot be read or written. */
function failureOfFile(error: unknown): Failure | undefined {
  if (!(error instanceof Error) || !("syscall" in error)) return undefined;
  if (!("path" in error) && !PLACELESS.includes(codeOf(error) ?? "")) return undefined;
  const parts = { kind: "missing", seen: error.message } as const;
  if (isAtCache("path" in error ? String(error.path) : "")) {
    const todo = "set XDG_CACHE_HOME to a folder that can be written";
    return { ...parts, what: "the cache of images and their parts", todo };
  }
  return { ...parts, what: "a file", todo: "name a place that can be read and written" };
}

/** Whether a path is in the cache, or leads to it: a home that is not there, for one. */
function isAtCache(path: string): boolean {
  try {
    const cache = cacheFolder();
    return path !== "" && (isInside(path, cache) || isInside(cache, path));
  } catch {
    return true; // A user without a home has no cache, and nothing else asks for a home.
  }
}

function isInside(path: string, folder: string): boolean {
  return !relative(folder, path).startsWith("..");
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

function failureFrom(kind: FailureKind, { what, seen, todo }: ActionError): Failure {
  return { kind, what, seen, todo };
}
