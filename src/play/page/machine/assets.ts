/**
 * The files that a machine is made of, fetched once: v86's script and module, the guest's image,
 * and the state of the first machine. A page that was opened from a file may fetch nothing: there
 * all of them come from one script.
 */

/** What it takes to launch a machine. */
export interface Assets {
  readonly engine: WebAssembly.Module;
  readonly image: Uint8Array;
}

/** A guest that is up, as the server made it before: what it has printed, and v86's state. */
export interface FirstState {
  readonly log: readonly string[];
  readonly state: ArrayBuffer;
}

const OFFLINE_SCRIPT = "offline.js";

declare global {
  /** Made by the script for pages from files: each file by its name, compressed, in base 64. */
  var ballonetFiles: Readonly<Record<string, string>> | undefined;
}

/** Calls once, and again after each failure. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}

/** Rejects while a file cannot be had. */
export const assets = once<Assets>(async () => {
  const [engine, image] = await Promise.all([
    // Servers of static files do not all know the type that streaming asks for.
    bytesOf("v86.wasm").then((bytes) => WebAssembly.compile(bytes)),
    bytesOf("guest.elf"),
    script("libv86.js"),
  ]);
  return { engine, image: new Uint8Array(image) };
});

/** Rejects where there is none: a machine boots without it, too. */
export const firstState = once<FirstState>(async () => {
  const packed = await bytesOf("guest.state");
  const bytes = isFile() ? packed : await unpacked(packed);
  const headEnd = new Uint8Array(bytes).indexOf(10);
  const { log } = JSON.parse(new TextDecoder().decode(bytes.slice(0, headEnd)));
  return { log, state: bytes.slice(headEnd + 1) };
});

const offlineScript = once(() => script(OFFLINE_SCRIPT));

function isFile(): boolean {
  return location.protocol === "file:";
}

async function bytesOf(name: string): Promise<ArrayBuffer> {
  if (isFile()) {
    await offlineScript();
    const text = globalThis.ballonetFiles?.[name];
    if (text === undefined) throw new Error(`${OFFLINE_SCRIPT} has no ${name}`);
    return unpacked(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  }
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: the server says ${response.status}`);
  return response.arrayBuffer();
}

function unpacked(bytes: ArrayBuffer): Promise<ArrayBuffer> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

function script(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.addEventListener("load", () => resolve());
    element.addEventListener("error", () => reject(new Error(`${name} cannot be loaded`)));
    element.src = name;
    document.head.append(element);
  });
}
