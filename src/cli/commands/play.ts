/** `ballonet play`: serves the page with a live machine until the user ends it. */
import { once } from "node:events";
import { FailureError } from "../../failure.ts";
import { type Call, type CommandSpec, HELP } from "../command.ts";
import { Screen } from "../terminal.ts";

const PORT_MAX = 65_535;

export const spec: CommandSpec = {
  name: "play",
  text: "open a page with a live machine: drag its balloon and see every page",
  options: [
    { name: "port", value: "PORT", text: "the port on 127.0.0.1 (any that is free)" },
    { name: "no-open", text: "open no browser: print the address only" },
    HELP,
  ],
  notes: [
    "The machine runs in the page, in v86: this program serves files and nothing else, on " +
      "loopback alone. It ends with Ctrl-C.",
    "`npm run build` leaves the same page in build/play, for any server of static files, " +
      "and to be opened as a file.",
  ],
  examples: [
    ["ballonet play", "open the page"],
    ["ballonet play --port 8080 --no-open", "serve it at a port of your choice"],
  ],
};

type Work = Pick<typeof import("../../play/index.ts"), "openPage" | "pageFiles" | "servePage">;

export async function run(
  { given, io }: Call,
  load: () => Promise<Work> = () => import("../../play/index.ts"),
): Promise<number> {
  const port = portOf(given.value("port"));
  const { openPage, pageFiles, servePage } = await load();
  const files = await pageFiles();
  io.signal.throwIfAborted();
  const server = await servePage(files, port).catch((error: unknown) => {
    throw new FailureError({
      kind: "missing",
      what: `port ${port}`,
      seen: error instanceof Error ? error.message : String(error),
      todo: "choose another one with --port, or leave the option out",
    });
  });
  try {
    const screen = new Screen(io.out, io.environment);
    screen.line(`page: ${server.url}`);
    const isOpen = !given.has("no-open") && (await openPage(server.url));
    screen.line(isOpen ? "Ctrl-C ends it." : "Open it in a browser. Ctrl-C ends it.");
    if (!io.signal.aborted) await once(io.signal, "abort");
    io.signal.throwIfAborted();
    return 0;
  } finally {
    await server.close();
  }
}

/** @throws FailureError `usage` for what is no port; 0 stands for any. */
function portOf(text: string | undefined): number {
  if (text === undefined) return 0;
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= PORT_MAX) return port;
  throw new FailureError({
    kind: "usage",
    what: "option --port",
    seen: `"${text}"`,
    todo: `give a number from 1 to ${PORT_MAX}`,
  });
}
