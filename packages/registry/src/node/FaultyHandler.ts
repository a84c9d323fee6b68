// Request handler with faults on.
import { basePath, matchPath, matchRequest, withoutBearer } from "@bytenite-engines/core/wire";
import type { Answer, RequestHead } from "../api/Answer.ts";
import { archivesPath } from "../archive/Link.ts";
import { uploadsPath } from "../archive/Staging.ts";
import { pathIn, type App } from "../api/App.ts";
import { managementPath } from "../api/Management.ts";
import { tokenPath } from "../api/TokenEndpoint.ts";
import { makeSerializer, type Serializer, type SerializerOptions } from "../api/Serializer.ts";
import type { Fault, FaultEndpoint } from "../faults/FaultRule.ts";
import type { Faults, FaultSubject } from "../faults/Faults.ts";
import { drawLatency, applyFault, statusAnswer } from "../faults/FaultyAnswer.ts";
import { needsSocket, sendFaulty, waitOn } from "./FaultySocket.ts";
import type { Handler } from "./HttpServer.ts";

/** What the handler stands on. */
export interface FaultyOptions {
  readonly app: App;
  /** The app without what is the same for all answers: what a fault has changed is sent as it is. */
  readonly plain: App;
  readonly faults: Faults;
  /** How answers are written without a fault. */
  readonly serializer: SerializerOptions;
  /** The name of the user whom a token belongs to. */
  readonly userOf: (token: string) => Promise<string | undefined>;
}

/** A handler for the server that answers, or takes the socket and does with it what a fault asks for. */
export const makeFaultyHandler =
  ({ app, plain, faults, serializer, userOf }: FaultyOptions): Handler =>
  async ({ head, request }) => {
    const subject = subjectOf(head, userOf);
    const fault = await faults.strike(subject);
    if (fault === undefined) return app(head);
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
        ? await plain(head, serializerOf(serializer, fault))
        : statusAnswer({ ...fault, status }, head, subject.endpoint);
    const answer = applyFault(await withBody(whole), fault, Date.now());
    if (!needsSocket(fault)) return answer;
    return (await sendFaulty(socket, answer, fault, head.method === "HEAD")) ? "torn" : "left";
  };

/** The answer with its stream, if it has one, as its body, which faults can change. */
const withBody = async (answer: Answer): Promise<Answer> => {
  const { stream, ...others } = answer;
  if (stream === undefined) return answer;
  const chunks: Array<Uint8Array> = [];
  for await (const chunk of stream.bytes ?? []) chunks.push(chunk);
  return { ...others, body: Buffer.concat(chunks) };
};

/** The endpoint that a request is for, as rules name it. */
const endpointOf = ({ method, target }: RequestHead): FaultEndpoint | undefined => {
  const path = pathIn(target);
  if (path === tokenPath) return "auth";
  if (path.startsWith(`${managementPath}/`)) return "management";
  if (path.startsWith(`${archivesPath}/`)) return "archive";
  const below = path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : "";
  if (below === uploadsPath) return "upload-link";
  const reading = matchPath(below)?.name;
  if (method === "DELETE" && reading === "get") return "delete";
  return matchRequest(method === "HEAD" ? "GET" : method, below)?.name ?? reading;
};

const subjectOf = (head: RequestHead, userOf: FaultyOptions["userOf"]): FaultSubject => {
  const authorization = head.header("authorization");
  const token = authorization === null ? undefined : withoutBearer(authorization).trim();
  return {
    endpoint: endpointOf(head),
    token,
    user: async () => (token === undefined || token === "" ? undefined : userOf(token)),
  };
};

const serializers = new WeakMap<Fault, Serializer>();

/** The serializer that a fault asks for, made once per fault. */
const serializerOf = (options: SerializerOptions, fault: Fault): Serializer | undefined => {
  if (fault.fieldNumbers === undefined && fault.jsonOnly === undefined) return undefined;
  const { fieldNumbers = options.fieldNumbers, jsonOnly = options.jsonOnly } = fault;
  const serializer = serializers.get(fault) ?? makeSerializer({ ...options, fieldNumbers, jsonOnly });
  serializers.set(fault, serializer);
  return serializer;
};
