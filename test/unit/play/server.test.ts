/** The server of the page: its own files alone, on loopback alone, with a strict policy. */
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type PageServer, servePage } from "../../../src/play/serve/server.ts";

const FILES = new Map([
  ["index.html", Buffer.from("<!doctype html>")],
  ["v86.wasm", Buffer.from([0, 97, 115, 109])],
]);

interface Reply {
  readonly status: number | undefined;
  readonly type: string | undefined;
  readonly policy: string;
  readonly body: string;
}

let server: PageServer;
beforeAll(async () => {
  server = await servePage(FILES, 0);
});
afterAll(() => server.close());

function ask(path: string, options: { host?: string; method?: string } = {}): Promise<Reply> {
  const { hostname, port, host: own } = new URL(server.url);
  const { host = own, method = "GET" } = options;
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, method, headers: { host } }, async (response) => {
      let body = "";
      for await (const part of response) body += part;
      const { "content-type": type, "content-security-policy": policy = "" } = response.headers;
      resolve({ status: response.statusCode, type, policy: String(policy), body });
    });
    asked.once("error", reject).end();
  });
}

describe("the page's server", () => {
  it("listens on loopback, and has the page at its root", async () => {
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    for (const path of ["/", "/index.html", "/?a=b"]) {
      expect(await ask(path)).toMatchObject({ status: 200, body: "<!doctype html>" });
    }
    expect((await ask("/v86.wasm")).type).toBe("application/wasm");
  });

  it.each(["/../package.json", "/%2e%2e/package.json", "/etc/passwd", "//", "/index.html/"])(
    "has no other file: %s",
    async (path) => {
      expect((await ask(path)).status).toBe(404);
    },
  );

  it.each(["example.org", "127.0.0.1.example.org", "0.0.0.0", "localhost.example.org:80"])(
    "refuses a request that names the host %j",
    async (host) => {
      expect((await ask("/", { host })).status).toBe(421);
    },
  );

  it("answers to localhost, too", async () => {
    const { port } = new URL(server.url);
    expect((await ask("/", { host: `localhost:${port}` })).status).toBe(200);
  });

  it.each(["POST", "PUT", "DELETE"])("takes no %s", async (method) => {
    expect((await ask("/", { method })).status).toBe(405);
  });

  it("sends HEAD no body, and a strict policy with everything", async () => {
    expect(await ask("/", { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
    for (const path of ["/", "/nothing"]) {
      const { policy } = await ask(path);
      expect(policy).toContain("default-src 'none'");
      expect(policy).not.toMatch(/unsafe-inline|'unsafe-eval'|https?:|\*/);
    }
  });
});
