/**
 * An HTTP API over a Unix socket that is stricter than the real ones: every member of a body is
 * known, has its type and is in its range, each body has its Content-Type, each request fits the
 * state of the machine, and a second one that changes nothing is refused.
 */
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { isAbsolute } from "node:path";

export type Body = Readonly<Record<string, unknown>>;
type Kind = "boolean" | "whole" | "text" | "file" | "object";

/** What is refused, with the reason. */
export class Refused extends Error {}

export function demand(isSo: unknown, reason: string): asserts isSo {
  if (!isSo) throw new Refused(reason);
}

/** Checks a body: all of `must`, any of `may`, and nothing else. */
export function fields(
  body: Body | undefined,
  must: Readonly<Record<string, Kind>>,
  may: Readonly<Record<string, Kind>> = {},
): Body {
  demand(body !== undefined, "no body");
  for (const name of Object.keys(must)) demand(name in body, `missing field ${name}`);
  for (const [name, value] of Object.entries(body)) {
    const kind = must[name] ?? may[name];
    demand(kind !== undefined, `unknown field ${name}`);
    demand(isOf(kind, value), `${name}: not ${kind}`);
  }
  return body;
}

function isOf(kind: Kind, value: unknown): boolean {
  switch (kind) {
    case "boolean":
      return typeof value === "boolean";
    case "whole":
      return Number.isSafeInteger(value) && (value as number) >= 0;
    case "text":
      return typeof value === "string";
    case "file":
      return typeof value === "string" && isAbsolute(value) && existsSync(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
  }
}

/** By `METHOD /path`: does it and returns the answer's body, if there is one. */
export type Routes = Readonly<Record<string, (body: Body | undefined) => unknown>>;

/** Serves at `path`, which must not be there. */
export function serve(path: string, routes: Routes): void {
  demand(!existsSync(path), `${path} is there already`);
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8");
    request.on("data", (part: string) => {
      text += part;
    });
    request.on("end", () => {
      try {
        const route = routes[`${request.method} ${request.url}`];
        demand(route, `no ${request.method} ${request.url}`);
        const { "content-type": type, "content-length": length } = request.headers;
        if (text !== "") {
          demand(type === "application/json", "a body without Content-Type");
          demand(Number(length) === Buffer.byteLength(text), "a body without Content-Length");
        }
        const answer = route(text === "" ? undefined : JSON.parse(text));
        response.writeHead(answer === undefined ? 204 : 200).end(answer && JSON.stringify(answer));
      } catch (error) {
        const fault = JSON.stringify({ fault_message: String(error) });
        response.writeHead(400).end(fault);
      }
    });
  });
  server.listen(path);
}

/** The value of an option of the command line, which must be there. */
export function optionOf(args: readonly string[], name: string): string {
  const at = args.indexOf(name);
  const value = args[at + 1];
  demand(at >= 0 && value !== undefined, `no ${name}`);
  return value;
}
