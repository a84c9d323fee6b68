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

/** Parts that the handler needs. */
export interface FaultyOptions {
  readonly app: App;
  /** The app without compression and common headers: changed answers are sent as they are. */
  readonly plain: App;
  readonly faults: Faults;
  /** Serializer of answers without a fault. */
  readonly serializer: SerializerOptions;
  /** The name of a token's user. */
  readonly userOf: (token: string) => Promise<string | undefined>;
}

/** A handler that answers, or takes the socket over to apply a fault. */
export const makeFaultyHandler =
  ({ app, plain, faults, serializer, userOf }: FaultyOptions): Handler =>
  async ({ head, request }) => {
    const subject = subjectOf(head, userOf);
    const fault = await faults.strike(subject);
    if (fault === undefined) return app(head);
    const { socket } = request;
    if (fault.latencyMs !== undefined && !(await waitOn(socket, drawLatency(fault.latencyMs, faults.random)))) {
      return "unanswered";
    }
    if (fault.silent === true) return "unanswered";
    if (fault.reset === "before-headers") {
      socket.resetAndDestroy();
      return "faulted";
    }
    const { status } = fault;
    const whole =
      status === undefined
        ? await plain(head, serializerOf(serializer, fault))
        : statusAnswer({ ...fault, status }, head, subject.endpoint);
    const answer = applyFault(await withBody(whole), fault, Date.now());
    if (!needsSocket(fault)) return answer;
    return (await sendFaulty(socket, answer, fault, head.method === "HEAD")) ? "faulted" : "unanswered";
  };

/** The answer with its stream read into its body, so that faults can change it. */
const withBody = async (answer: Answer): Promise<Answer> => {
  const { stream, ...others } = answer;
  if (stream === undefined) return answer;
  const chunks: Array<Uint8Array> = [];
  for await (const chunk of stream.bytes ?? []) chunks.push(chunk);
  return { ...others, body: Buffer.concat(chunks) };
};

/** The endpoint of a request, by its name in rules. */
const endpointOf = ({ method, target }: RequestHead): FaultEndpoint | undefined => {
  const path = pathIn(target);
  if (path === tokenPath) return "auth";
  if (path.startsWith(`${managementPath}/`)) return "management";
  if (path.startsWith(`${archivesPath}/`)) return "archive";
  const below = path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : "";
  if (below === uploadsPath) return "upload-link";
  const reading = matchPath(below)?.name;
  if (method === "DELETE" && reading === "get") return "delete";
  return matchRequest(method, below)?.name ?? reading;
};

const subjectOf = (head: RequestHead, userOf: FaultyOptions["userOf"]): FaultSubject => {
  const authorization = head.header("authorization");
  const token = authorization === null ? undefined : withoutBearer(authorization).trim();
  return {
    endpoint: endpointOf(head),
    token,
    user: async () => (token === undefined ? undefined : userOf(token)),
  };
};

const serializers = new WeakMap<Fault, Serializer>();

/** The serializer of a fault, made once per fault. */
const serializerOf = (options: SerializerOptions, fault: Fault): Serializer => {
  const { fieldNumbers = options.fieldNumbers, jsonOnly = options.jsonOnly } = fault;
  const serializer = serializers.get(fault) ?? makeSerializer({ ...options, fieldNumbers, jsonOnly });
  serializers.set(fault, serializer);
  return serializer;
};
