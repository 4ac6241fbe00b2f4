/**
 * Where this package lies and which version it is, from its sources or compiled. It imports Node's
 * own modules only: the doctor, which says what is missing, uses it.
 */
import { existsSync, readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { dirname, join, posix, sep, win32 } from "node:path";
import { fileURLToPath } from "node:url";

/** Returns the folder with the package's package.json. */
export function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error("the package's package.json is missing");
    folder = parent;
  }
  return folder;
}

/** Returns whether this is a checkout, with all sources, and not an installed package. */
export function isCheckout(): boolean {
  return existsSync(join(packageFolder(), "assembly"));
}

/**
 * Returns where results are kept: build/cache in a checkout, else in the user's cache.
 * @throws the system's error for a user without a home.
 */
export function cacheFolder(): string {
  if (isCheckout()) return join(packageFolder(), "build", "cache");
  const { platform, env: environment } = process;
  return userCacheFolder({ platform, environment, home: () => homedir() || userInfo().homedir });
}

/** Returns the folder for this package in a user's cache, where each system has it. */
export function userCacheFolder(parts: {
  readonly platform: NodeJS.Platform;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: () => string;
}): string {
  const { platform, environment, home } = parts;
  const { XDG_CACHE_HOME = "", LOCALAPPDATA } = environment;
  const { isAbsolute, join } = platform === "win32" ? win32 : posix;
  // The XDG base directory specification: a relative path is invalid, and is ignored.
  if (isAbsolute(XDG_CACHE_HOME)) return join(XDG_CACHE_HOME, "ballonet");
  if (platform === "darwin") return join(home(), "Library", "Caches", "ballonet");
  if (platform === "win32") {
    return join(LOCALAPPDATA || join(home(), "AppData", "Local"), "ballonet", "Cache");
  }
  return join(home(), ".cache", "ballonet");
}

/** The packages that building an image needs, besides this one and a C compiler. */
const BUILD_PACKAGES = ["esbuild", "wabt", "@jitl/quickjs-ng-wasmfile-release-sync"];

/**
 * Returns what to do about a package that is missing, with the versions that fit; `group`: the
 * packages that the same work needs.
 */
export function installAdvice(
  name: string,
  group: readonly string[] = BUILD_PACKAGES.includes(name) ? BUILD_PACKAGES : [name],
): string {
  if (isCheckout()) return "run `npm ci` in ballonet's folder";
  const missing = group.filter((it) => dependencyVersion(it) === undefined);
  const names = missing.length > 0 ? missing : [name];
  // The versions that this package is tested with; it accepts some more.
  const { devDependencies = {} } = manifestIn(join(packageFolder(), "package.json"));
  const wanted = names.map((it) => (devDependencies[it] ? `${it}@${devDependencies[it]}` : it));
  // The folder of npx is made anew for another set of packages: nothing can be added to it.
  if (packageFolder().split(sep).includes("_npx")) {
    return `run \`npx ${["ballonet", ...wanted].map((it) => `-p ${it}`).join(" ")} ballonet ...\``;
  }
  return `run \`npm install ${wanted.join(" ")}\` where ballonet is installed`;
}

/** Returns what to say of an import of a package that is not installed; undefined for others. */
export function missingPackage(
  error: unknown,
): { readonly what: string; readonly seen: string; readonly todo: string } | undefined {
  const { code, message = "" } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") return undefined;
  // Which of our files imports it says nothing to a user.
  const seen = message.replace(/(\n| imported from )[\s\S]*/, "");
  const name = /'((?:@[\w.-]+\/)?[\w.-]+)(?:[/\\][^']*)?'/.exec(seen)?.[1];
  if (name === undefined) return { what: "a package", seen, todo: "run `ballonet doctor`" };
  const instead = name === "v86" ? ", or take QEMU instead (--on qemu)" : "";
  return { what: `the package ${name}`, seen, todo: `${installAdvice(name)}${instead}` };
}

/** Returns the version in the package's package.json. */
export function packageVersion(): string {
  return versionIn(join(packageFolder(), "package.json"));
}

/** Returns the version of an installed dependency; undefined when it is not installed. */
export function dependencyVersion(name: string): string | undefined {
  // Node's own search would fail for a package that does not export its package.json.
  for (let folder = packageFolder(); ; folder = dirname(folder)) {
    const path = join(folder, "node_modules", name, "package.json");
    if (existsSync(path)) return versionIn(path);
    if (dirname(folder) === folder) return undefined;
  }
}

interface Manifest {
  readonly version?: unknown;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

function manifestIn(path: string): Manifest {
  return JSON.parse(readFileSync(path, "utf8")) as Manifest;
}

function versionIn(path: string): string {
  return String(manifestIn(path).version);
}
