// Request handler with faults on.
import { basePath, matchPath, withoutBearer } from "@bytenite-engines/core/wire";
import type { RequestHead } from "../api/Answer.ts";
import { pathIn, type Site } from "../api/Site.ts";
import { managementPath } from "../api/Management.ts";
import { tokenPath } from "../api/TokenEndpoint.ts";
import { makeWire, type Wire, type WireOptions } from "../api/Wire.ts";
import type { Fault } from "../faults/FaultRule.ts";
import type { Faults, FaultSubject } from "../faults/Faults.ts";
import { drawLatency, spoiled, statusAnswer } from "../faults/FaultyAnswer.ts";
import { needsSocket, sendFaulty, waitOn } from "./FaultySocket.ts";
import type { Handler } from "./HttpServer.ts";

/** What the handler stands on. */
export interface FaultyOptions {
  readonly site: Site;
  /** The site without what is the same for all answers: what a fault has changed is sent as it is. */
  readonly plain: Site;
  readonly faults: Faults;
  /** How answers are written without a fault. */
  readonly wire: WireOptions;
  /** The name of the user whom a token belongs to. */
  readonly userOf: (token: string) => Promise<string | undefined>;
}

/** A handler for the server that answers, or takes the socket and does with it what a fault asks for. */
export const makeFaultyHandler =
  ({ site, plain, faults, wire, userOf }: FaultyOptions): Handler =>
  async ({ head, request }) => {
    const subject = subjectOf(head, userOf);
    const fault = await faults.strike(subject);
    if (fault === undefined) return site(head);
    const { socket } = request;
    if (fault.latencyMs !== undefined && !(await waitOn(socket, drawLatency(fault.latencyMs, faults.random)))) {
      return "left";
    }
    if (fault.silent === true) return "left";
    if (fault.reset === "before-headers") {
      socket.resetAndDestroy();
      return "torn";
    }
    const { status } = fault;
    const whole =
      status === undefined
        ? await plain(head, wireOf(wire, fault))
        : statusAnswer({ ...fault, status }, head, subject.endpoint);
    const answer = spoiled(whole, fault, Date.now());
    if (!needsSocket(fault)) return answer;
    return (await sendFaulty(socket, answer, fault, head.method === "HEAD")) ? "torn" : "left";
  };

const subjectOf = (head: RequestHead, userOf: FaultyOptions["userOf"]): FaultSubject => {
  const path = pathIn(head.target);
  const match = path.startsWith(`${basePath}/`) ? matchPath(path.slice(basePath.length)) : undefined;
  const authorization = head.header("authorization");
  const token = authorization === null ? undefined : withoutBearer(authorization).trim();
  return {
    endpoint: path === tokenPath ? "auth" : path.startsWith(`${managementPath}/`) ? "management" : match?.name,
    token,
    user: async () => (token === undefined || token === "" ? undefined : userOf(token)),
  };
};

const wires = new WeakMap<Fault, Wire>();

/** The wire that a fault asks for, made once per fault. */
const wireOf = (options: WireOptions, fault: Fault): Wire | undefined => {
  if (fault.fieldNumbers === undefined && fault.jsonOnly === undefined) return undefined;
  const { fieldNumbers = options.fieldNumbers, jsonOnly = options.jsonOnly } = fault;
  const wire = wires.get(fault) ?? makeWire({ ...options, fieldNumbers, jsonOnly });
  wires.set(fault, wire);
  return wire;
};
