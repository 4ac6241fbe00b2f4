/**
 * Bundles modules of the user's for the guest's engine, with the packages that they import. Modules
 * of Node are refused; what they may import of this package is its own, wherever they lie.
 */
import { stat } from "node:fs/promises";
import { builtinModules } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import type { BuildOptions, BuildResult, Message, Plugin } from "esbuild";
import { installAdvice, isCheckout, missingPackage, packageFolder } from "../../package.ts";
import { loadEsbuild, packageFile } from "../../peers.ts";
import { ImageError } from "../errors.ts";

/** The name of the module that imports the user's. */
const START = "start";
const NODE_MODULES = new Set(builtinModules);
/** A form of whatwg-url without its tables, which are 470 KB. */
const URL_PACKAGE = "whatwg-url-minimum";
const URL_MODULE = "dist/whatwg-url-minimum.mjs";
const URL_SHIM = "guest-url";
/** A chain of imports is told up to so many messages. */
const MESSAGES_MAX = 3;

/** An entry of this package that the user's modules may import. */
interface OwnEntry {
  /** What they write. */
  readonly filter: RegExp;
  /** The room that it is made of, and its file's name in lib/. */
  readonly room: string;
  readonly file: string;
  /** Whether it defines globals: then it is bundled though nobody imports it, and `URL` works. */
  readonly hasGlobals: boolean;
}

function entryPath({ room, file }: OwnEntry): string {
  const folder = packageFolder();
  return isCheckout() ? join(folder, room, "index.ts") : join(folder, "lib", file);
}

/** Returns the path of the module that has `URL`; undefined where it is not installed. */
function urlPath(): string | undefined {
  try {
    return packageFile(URL_PACKAGE, "package.json").replace(/package\.json$/, URL_MODULE);
  } catch (error) {
    if (missingPackage(error) === undefined) throw error;
    return undefined;
  }
}

/**
 * Makes `URL` and `URLSearchParams` known in modules that use them: then the library is bundled. It
 * uses globals of the guest's.
 */
const url: Plugin = {
  name: URL_SHIM,
  setup(build) {
    const path = urlPath();
    if (path === undefined) return;
    build.initialOptions.inject = [URL_SHIM];
    build.onResolve({ filter: new RegExp(`^${URL_SHIM}$`) }, () => {
      return { path: URL_SHIM, namespace: URL_SHIM, sideEffects: false };
    });
    build.onLoad({ filter: /^/, namespace: URL_SHIM }, () => {
      const exported = `export { URL, URLSearchParams } from ${JSON.stringify(path)};`;
      return { contents: `import "ballonet/guest"; ${exported}`, resolveDir: dirname(path) };
    });
  },
};

/** Resolves this package's own module, and refuses those of Node. */
function guestModules(own: OwnEntry): Plugin {
  const amid = {};
  return {
    name: "guest",
    setup(build) {
      build.onResolve({ filter: own.filter }, () => {
        return { path: entryPath(own), sideEffects: own.hasGlobals };
      });
      build.onResolve({ filter: /\/whatwg-url-minimum\.mjs$/ }, ({ path, namespace }) => {
        return namespace === URL_SHIM ? { path, sideEffects: false } : undefined;
      });
      // The program runs, whatever its package says of modules that nobody imports from.
      build.onResolve({ filter: /^/ }, ({ path, importer }) => {
        return importer === resolve(START) ? { path, sideEffects: true } : undefined;
      });
      build.onResolve(
        { filter: /^[\w:/]+$/ },
        async ({ path, importer, resolveDir, kind, pluginData }) => {
          const isNode = path.startsWith("node:") || NODE_MODULES.has(path);
          if (!isNode || pluginData === amid) return undefined;
          // A package of that name is as good: `events` and `buffer` are packages, too.
          const options = { importer, resolveDir, kind, pluginData: amid };
          const found = path.startsWith("node:") ? undefined : await build.resolve(path, options);
          if (found !== undefined && found.errors.length === 0) return found;
          const from = importer === "" ? "" : ` in ${relative(process.cwd(), importer)}`;
          return {
            errors: [{ text: `"${path}"${from} is a module of Node, which a guest has not` }],
          };
        },
      );
    },
  };
}

const OPTIONS = {
  bundle: true,
  // The packages' own variants without Node.
  platform: "browser",
  mainFields: ["browser", "module", "main"],
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  logLevel: "silent",
  treeShaking: true,
  minifyWhitespace: true,
} as const satisfies BuildOptions;

/** What is bundled, and how. */
export interface BundleModules {
  /** The user's module: it must be there. */
  readonly entry: string;
  /** Statements that import it, by its path. */
  readonly start: (path: string) => string;
  readonly own: OwnEntry;
  readonly options: BuildOptions;
}

/** The bundle's files, and the files that it is made of. */
export interface BundledModules {
  readonly outputFiles: NonNullable<BuildResult["outputFiles"]>;
  readonly inputs: readonly string[];
}

/**
 * Bundles. Rejects with ImageError: `package` where esbuild is not installed, `program` for what
 * cannot be bundled.
 */
export async function bundleModules(parts: BundleModules): Promise<BundledModules> {
  const { entry, options } = parts;
  const path = resolve(entry);
  const isFile = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
  if (!isFile)
    throw refused(entry, `no file ${path}`, "give the path of a TypeScript or JavaScript file");
  const { build } = await loadBundler();
  const folder = process.cwd();
  try {
    const { outputFiles, metafile } = await build({
      ...OPTIONS,
      ...options,
      metafile: true,
      write: false,
      plugins: [...(parts.own.hasGlobals ? [url] : []), guestModules(parts.own)],
      stdin: { contents: parts.start(path), resolveDir: folder, sourcefile: START },
      absWorkingDir: folder,
    });
    const own = [START, `${URL_SHIM}:${URL_SHIM}`];
    const inputs = Object.keys(metafile.inputs).filter((name) => !own.includes(name));
    return { outputFiles, inputs: inputs.map((it) => resolve(it)) };
  } catch (error) {
    const { errors = [] } = error as { errors?: readonly Message[] };
    if (errors.length === 0) throw error;
    const seen = errors.slice(0, MESSAGES_MAX).map(messageOf).join("; ");
    throw refused(entry, seen, "correct the program");
  }
}

function refused(what: string, seen: string, todo: string): ImageError {
  return new ImageError({ code: "program", what, seen, todo });
}

function messageOf({ text, location }: Message): string {
  return location === null ? text : `${location.file}:${location.line}:${location.column}: ${text}`;
}

async function loadBundler(): Promise<typeof import("esbuild")> {
  try {
    return await loadEsbuild();
  } catch (error) {
    const absent = missingPackage(error);
    if (absent === undefined) throw error;
    throw new ImageError({
      code: "package",
      what: "the package esbuild, which bundles programs",
      seen: absent.seen,
      todo: installAdvice("esbuild", ["esbuild"]),
    });
  }
}
