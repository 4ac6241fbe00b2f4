/**
 * The page's server: files that are known by name, on loopback alone. A request that names another
 * host is refused, or a site on the internet could point its name here and read the answers.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { POLICY } from "./bundle.ts";
import type { PageFiles } from "./page-files.ts";

const LOOPBACK = "127.0.0.1";
const HOSTS = [LOOPBACK, "localhost"];

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  mjs: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
  wasm: "application/wasm",
  elf: "application/octet-stream",
};

const HEADERS = {
  "content-security-policy": `${POLICY}; frame-ancestors 'none'`,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  // A page of another version must not meet the files of this one.
  "cache-control": "no-cache",
};

export interface PageServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves the files. Rejects with the system's error for a port that cannot be had; 0 takes any. */
export async function servePage(files: PageFiles, port: number): Promise<PageServer> {
  const server = createServer((request, response) => answer({ files, request, response }));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, LOOPBACK, resolve);
  });
  const { port: taken } = server.address() as AddressInfo;
  return { url: `http://${LOOPBACK}:${taken}/`, close: () => close(server) };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function answer(parts: {
  files: PageFiles;
  request: IncomingMessage;
  response: ServerResponse;
}): void {
  const { files, request, response } = parts;
  const { method = "", url = "", headers } = request;
  const path = url.replace(/[?#].*$/, "");
  const name = path === "/" ? "index.html" : path.slice(1);
  const contents = files.get(name);
  const host = (headers.host ?? "").replace(/:\d+$/, "");
  if (!HOSTS.includes(host)) refuse(response, 421, "this server answers for loopback alone");
  else if (method !== "GET" && method !== "HEAD") refuse(response, 405, "only GET and HEAD");
  else if (contents === undefined) refuse(response, 404, "there is no such file");
  else {
    const type = TYPES[name.split(".").at(-1) ?? ""] ?? "application/octet-stream";
    const length = String(contents.length);
    response.writeHead(200, { ...HEADERS, "content-type": type, "content-length": length });
    response.end(method === "HEAD" ? undefined : contents);
  }
}

function refuse(response: ServerResponse, status: number, why: string): void {
  const type = { "content-type": "text/plain; charset=utf-8" };
  const allow = status === 405 ? { allow: "GET, HEAD" } : {};
  response.writeHead(status, { ...HEADERS, ...type, ...allow }).end(`${why}\n`);
}
