/** Stands for somebody's VMM, as the template for a host has it. */
import { createServer } from "node:http";
import { demand, optionOf } from "./strict-api.ts";
import { ToyGuest } from "./toy-guest.ts";

const args = process.argv.slice(2);
demand(args.length === 6 && Number(optionOf(args, "--memory")) > 0, `its options: ${args}`);
optionOf(args, "--kernel");
const guest = new ToyGuest((text) => process.stdout.write(text));
process.stdin.setEncoding("utf8").on("data", (text: string) => guest.receive(text));
const server = createServer((request, response) => {
  let text = "";
  request.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  request.on("end", () => {
    if (request.method === "PUT") guest.setTarget(JSON.parse(text).balloon);
    response.end(JSON.stringify({ balloon: guest.state.actual }));
  });
});
server.listen(Number(new URL(String(process.env.MY_VMM_API)).port), "127.0.0.1", () =>
  guest.boot(optionOf(args, "--cmdline")),
);
