/** A VMM's API: HTTP over a Unix socket, with JSON in both directions. */
import { access } from "node:fs/promises";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { FailureError } from "../../failure.ts";
import {
  asBigInt,
  formatJson,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJson,
} from "../../vmm/json.ts";
import { giveUpOnError, type HostProgram } from "./program.ts";

const REQUEST_MS = 10_000;
const START_MS = 20_000;
const LOOK_MS = 10;

/** Connects to a socket that a program makes. Rejects when it ends or takes more than 20 s. */
export function connectTo(program: HostProgram, path: string): Promise<Socket> {
  return poll(program, () => {
    return new Promise((resolve) => {
      const tried = connect(path);
      tried.once("connect", () => resolve(tried));
      tried.once("error", () => resolve(undefined));
    });
  });
}

/** Waits for a socket that a program makes and that Node cannot connect to. Rejects likewise. */
export async function socketOf(program: HostProgram, path: string): Promise<void> {
  await poll(program, () =>
    access(path).then(
      () => true,
      () => undefined,
    ),
  );
}

async function poll<T>(program: HostProgram, look: () => Promise<T | undefined>): Promise<T> {
  const endMs = performance.now() + START_MS;
  while (program.isRunning && performance.now() < endMs) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(LOOK_MS);
  }
  const seen = program.isRunning ? `none after ${START_MS} ms` : await program.ended;
  const todo = "see what the program says";
  throw new FailureError({ kind: "emulator", what: "the VMM's socket", seen, todo });
}

/**
 * Waits for a program's API at a path, which ends the program when it does not come. All paths of
 * the API begin with `prefix`: `/api/v1/`.
 */
export async function apiOf(program: HostProgram, path: string, prefix: string): Promise<UnixHttp> {
  const probe = await giveUpOnError(program, connectTo(program, path));
  probe.destroy();
  return new UnixHttp(path, prefix);
}

/** The client of one program's API. */
export class UnixHttp {
  private readonly path: string;
  private readonly prefix: string;

  /** @param prefix what all paths begin with: `/api/v1/`. */
  constructor(path: string, prefix: string) {
    this.path = path;
    this.prefix = prefix;
  }

  /**
   * Sends a request and returns the answer's body; undefined without one. Rejects with FailureError
   * `emulator` for a status that is no success, or when nothing comes within 10 s.
   */
  async send(
    method: "GET" | "PUT" | "PATCH",
    path: string,
    body?: JsonObject,
  ): Promise<JsonValue | undefined> {
    const text = body === undefined ? "" : formatJson(body);
    const headers = {
      Accept: "application/json",
      ...(body && {
        "Content-Type": "application/json",
        "Content-Length": Buffer.byteLength(text),
      }),
    };
    const what = `${method} ${this.prefix}${path}`;
    const fail = (seen: string) =>
      new FailureError({ kind: "emulator", what, seen, todo: "see what the VMM's API takes" });
    const answer = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const sent = request(
        { socketPath: this.path, method, path: this.prefix + path, headers, timeout: REQUEST_MS },
        (response) => {
          let got = "";
          response.setEncoding("utf8");
          response.on("data", (part: string) => {
            got += part;
          });
          response.on("end", () => resolve({ status: response.statusCode ?? 0, text: got }));
          response.on("error", reject);
        },
      );
      sent.on("timeout", () => sent.destroy(new Error(`no answer within ${REQUEST_MS} ms`)));
      sent.on("error", reject);
      sent.end(text);
    }).catch((error: unknown) => {
      throw fail(error instanceof Error ? error.message : String(error));
    });
    if (answer.status < 200 || answer.status > 299) throw fail(`${answer.status} ${answer.text}`);
    return answer.text === "" ? undefined : parseJson(answer.text);
  }

  /** The same for an answer that is an object. */
  async get(path: string): Promise<JsonObject> {
    const answer = await this.send("GET", path);
    if (isJsonObject(answer)) return answer;
    const seen = JSON.stringify(answer) ?? "nothing";
    const todo = "see what the VMM's API answers";
    throw new FailureError({ kind: "emulator", what: `GET ${path}`, seen, todo });
  }

  /** The same for a number of that object. */
  async getNumber(path: string, name: string): Promise<number> {
    const value = asBigInt((await this.get(path))[name]);
    if (value !== undefined) return Number(value);
    const todo = "see what the version's API answers";
    throw new FailureError({ kind: "emulator", what: name, seen: "none", todo });
  }
}
