/**
 * The control channel's serial port: requests go from it to the server, replies back.
 *
 * A request is read only when its reply can be sent, so a host that does not read loses no reply,
 * and costs a bounded amount of memory. On COM1 the replies stand between the lines of the log. A
 * host may echo what it is sent there: what the guest itself says is no request.
 */
import type { ControlPort } from "../control-ports.ts";
import { isReply, JsonRpcServer, type LaterMethods, type RpcMethod } from "./json-rpc-server.ts";
import { LOG_PREFIX, type Machine } from "./machine.ts";

/** The interrupt lines of the serial ports on every PC. */
const LINES = { 1: 4, 2: 3 } as const;

export interface ControlChannelOptions {
  readonly machine: Machine;
  /** Undefined: COM2, or COM1 where that is missing. */
  readonly wanted: ControlPort | undefined;
  readonly methods: Readonly<Record<string, RpcMethod>>;
  /** Those of the user's program. */
  readonly later: LaterMethods;
}

export class ControlChannel {
  /** Undefined: the machine has no such port. */
  readonly port: 1 | 2 | undefined;
  private readonly machine: Machine;
  private readonly server: JsonRpcServer;

  constructor({ machine, wanted, methods, later }: ControlChannelOptions) {
    const has = (port: 1 | 2) => (machine.serialPorts() & (1 << (port - 1))) !== 0;
    const port = (wanted ?? (has(2) ? "com2" : "com1")) === "com2" ? 2 : 1;
    this.machine = machine;
    this.port = has(port) ? port : undefined;
    this.server = new JsonRpcServer({
      methods,
      later,
      send: (line) => machine.serialSend(port, line),
      ...(port === 1 && { ignores: isOwnLine }),
    });
  }

  /** The port's interrupt line. */
  get line(): number | undefined {
    return this.port && LINES[this.port];
  }

  listen(): void {
    if (this.line !== undefined) this.machine.listen(this.line);
  }

  /** Tells the host something. Where the host does not read, it is dropped. */
  notify(name: string, value: unknown): void {
    const { machine, port } = this;
    if (port !== undefined && machine.serialRoom(port) > 0) this.server.notify(name, { value });
  }

  /** Serves what has arrived. True: a line ended, so a method may have changed something. */
  serve(): boolean {
    const { machine, port } = this;
    let asked = false;
    while (port !== undefined && machine.serialRoom(port) > 0) {
      const bytes = machine.serialRead(port);
      if (bytes === "") break;
      if (this.server.receive(bytes)) asked = true;
    }
    return asked;
  }
}

/** Whether a line is one that the guest sends. */
function isOwnLine(line: string, parsed: unknown): boolean {
  return line.startsWith(LOG_PREFIX) || isReply(parsed);
}
