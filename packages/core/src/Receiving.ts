// Decides: which form is asked for, and that no protobuf data is handed out which nothing has confirmed.
import type { MessageShape } from "@bufbuild/protobuf";
import type { ClientParts } from "./ClientParts.ts";
import { endpoints, type EndpointName } from "./Endpoint.ts";
import { EngineError, type EngineErrorReason } from "./EngineError.ts";
import { AttemptFailure, failureOf, requestIdOf } from "./Failure.ts";
import { mediaTypeOf, type Format } from "./MediaType.ts";
import { read, UnreadableBody, type Reading } from "./Reading.ts";
import { request, type Answered, type RequestPlan } from "./Requester.ts";
import { schemaDigestHeader } from "./SchemaDigest.ts";
import { publicUrl } from "./Transport.ts";

/** The schema of the response message of an endpoint. */
export type ResponseSchemaOf<N extends EndpointName> = (typeof endpoints)[N]["response"];

/** A success: the last answer, and its data. */
export interface Received<N extends EndpointName> {
  readonly answered: Answered;
  readonly format: Format;
  readonly data: MessageShape<ResponseSchemaOf<N>>;
}

type Asking = Omit<RequestPlan, "accept">;

/** Asks, reads, and has protobuf confirmed. Rejects with AttemptFailure. */
export const readAnswer = async <N extends EndpointName>(
  parts: ClientParts,
  name: N,
  asking: Asking,
): Promise<Received<N>> => {
  const asked = formatToAsk(parts, asking);
  let answered = await ask(parts, asking, asked);
  if (answered.answer.status === 406 && asked === "protobuf") {
    noteForm(parts, asking, "json");
    answered = await ask(parts, asking, "json");
  }
  const reading = readSuccess(name, answered, asking);
  if (asked === "protobuf") noteForm(parts, asking, reading.format);
  if (reading.format === "protobuf") {
    const { headers, bytes } = answered.answer;
    const digest = headers.get(schemaDigestHeader);
    const verdict = parts.trust.decide(parts.origin, endpoints[name].response, { digest, bytes });
    if (verdict.kind === "witness") return witnessed(parts, name, asking, answered);
  }
  return received(parts, asking, answered, reading);
};

/** The JSON of the same resource: the data handed out, and what the protobuf is held against. */
const witnessed = async <N extends EndpointName>(
  parts: ClientParts,
  name: N,
  asking: Asking,
  doubted: Answered,
): Promise<Received<N>> => {
  const answered = await ask(parts, asking, "json");
  const reading = readSuccess(name, answered, asking);
  if (reading.format !== "json") {
    throw spoiled(answered, "the server answers in protobuf only, and nothing confirms its field numbers");
  }
  parts.trust.witness(parts.origin, endpoints[name].response, doubted.answer.bytes, reading.message);
  return received(parts, asking, answered, reading);
};

const formatToAsk = (parts: ClientParts, { settings, clock }: Asking): Format =>
  settings.format === "auto" ? parts.memory.preferred(parts.origin, clock.currentTimeMillisUnsafe()) : settings.format;

const ask = (parts: ClientParts, asking: Asking, format: Format): Promise<Answered> =>
  request(parts, { ...asking, accept: mediaTypeOf(format) });

const noteForm = (parts: ClientParts, { subject, clock }: Asking, answered: Format): void => {
  if (parts.memory.note(parts.origin, answered, clock.currentTimeMillisUnsafe()) && answered === "json") {
    parts.emit?.({ ...subject, type: "fallback", asked: "protobuf", answered });
  }
};

const readSuccess = <N extends EndpointName>(
  name: N,
  answered: Answered,
  asking: Asking,
): Reading<ResponseSchemaOf<N>> => {
  const { answer, token } = answered;
  if (answer.status < 200 || answer.status > 299) {
    throw failureOf(answer, asking.clock.currentTimeMillisUnsafe(), token);
  }
  const { maxJsonDepth, maxEnginesPerPage } = asking.settings.limits;
  let reading: Reading<ResponseSchemaOf<N>>;
  try {
    reading = read(endpoints[name].response, answer.headers.get("content-type"), answer.bytes, maxJsonDepth);
  } catch (cause) {
    if (cause instanceof UnreadableBody) throw spoiled(answered, cause.message, cause);
    throw cause;
  }
  const { message } = reading;
  if ("engines" in message && message.engines.length > maxEnginesPerPage) {
    throw new AttemptFailure(
      errorOf(answered, { _tag: "TooLarge", limit: "maxEnginesPerPage", value: maxEnginesPerPage }),
    );
  }
  return reading;
};

const spoiled = (answered: Answered, problem: string, cause?: unknown): AttemptFailure =>
  new AttemptFailure(errorOf(answered, { _tag: "Undecodable", problem }, cause));

const errorOf = ({ answer }: Answered, reason: EngineErrorReason, cause?: unknown): EngineError => {
  const requestId = requestIdOf(answer.headers);
  return new EngineError({
    reason,
    url: publicUrl(answer.url),
    attempts: 1,
    status: answer.status,
    cause,
    ...(requestId === undefined ? {} : { requestId }),
  });
};

/** Unknown fields named in one event, at most. */
const maxUnknownFields = 100;

const received = <N extends EndpointName>(
  parts: ClientParts,
  { subject }: Asking,
  answered: Answered,
  { format, message, unknownKeys }: Reading<ResponseSchemaOf<N>>,
): Received<N> => {
  if (parts.emit !== undefined) {
    const numbers = (message.$unknown ?? []).map(({ no }) => `#${no}`);
    const fields = [...unknownKeys, ...numbers].slice(0, maxUnknownFields);
    if (fields.length > 0) parts.emit({ ...subject, type: "unknown-fields", message: message.$typeName, fields });
  }
  return { answered, format, data: message };
};
