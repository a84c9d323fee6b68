// Decides: which form is asked for, what an answer's status and body mean, and that only believed data is handed out.
import type { MessageShape } from "@bufbuild/protobuf";
import type { ClientParts } from "./ClientParts.ts";
import { endpoints, type EndpointName } from "./Endpoint.ts";
import { EngineError, type EngineErrorReason } from "./EngineError.ts";
import { AttemptFailure, failureOf, requestIdOf, tooLarge } from "./Failure.ts";
import { schemaDigests } from "./gen/schemaDigests.ts";
import { mediaTypeOf, type Format } from "./MediaType.ts";
import { read, UnreadableBody, type Reading } from "./Reading.ts";
import { LimitExceeded, type ReadLimits } from "./ReadLimits.ts";
import { request, type Answered, type RequestPlan } from "./Requester.ts";
import { schemaDigestHeader } from "./SchemaDigest.ts";
import { redact } from "./Secret.ts";
import { publicUrl } from "./Transport.ts";
import { noUnknownFields, unknownFieldsEvent, type UnknownFields } from "./UnknownFields.ts";
import { firstForm, UntrustedAnswer, weigh, type Asking as Reader } from "./trust/TrustedAnswer.ts";

/** The schema of the response message of an endpoint. */
export type ResponseSchemaOf<N extends EndpointName> = (typeof endpoints)[N]["response"];

/** A success: the answer that the data was in, and the data. */
export interface Received<N extends EndpointName> {
  readonly answered: Answered;
  readonly format: Format;
  readonly data: MessageShape<ResponseSchemaOf<N>>;
  readonly unknownFields: UnknownFields;
}

type Formed<N extends EndpointName> = Reading<ResponseSchemaOf<N>> & {
  readonly answered: Answered;
  readonly digest: string | null;
  readonly followed: boolean;
  readonly limits: ReadLimits;
};

/** Asks, reads, and has protobuf confirmed. Rejects with AttemptFailure. */
export const readAnswer = async <N extends EndpointName>(
  parts: ClientParts,
  name: N,
  asking: RequestPlan,
): Promise<Received<N>> => {
  const { trust, origin } = parts;
  const ready = trust.ready(origin);
  if (ready !== undefined) await ready;
  const schema: ResponseSchemaOf<N> = endpoints[name].response;
  const course: Course = { last: undefined };
  const reading: Reader<ResponseSchemaOf<N>, Formed<N>> = {
    trust,
    origin,
    schema,
    prefers: formatToAsk(parts, asking),
    ask: (format, fresh, isSpare) => {
      const further = course.last === undefined ? asking : asWitness(asking, course.last, fresh);
      if (!isSpare) return askFor(parts, name, further, format, course);
      return asking.timer.spare((signal) => askFor(parts, name, { ...further, signal }, format, course));
    },
    onNews: newsTeller(parts, asking),
  };
  const form = firstForm(reading);
  try {
    // The first answer is nearly always the only one: it goes without a promise for each of the steps that follow.
    const answered = await request(parts, asking, mediaTypeOf(form));
    const first =
      formed(parts, name, asking, form, answered, course) ?? (await askFor(parts, name, asking, "json", course));
    const trusted = weigh(reading, form, first);
    const { message, answer } = trusted instanceof Promise ? await trusted : trusted;
    const unknownFields = answer.format === "json" ? answer.unknownFields : noUnknownFields;
    if (parts.emit !== undefined) {
      const event = unknownFieldsEvent(asking.subject, schema, message, unknownFields, answer.answered.secrets);
      if (event !== undefined) parts.emit(event);
    }
    return { answered: answer.answered, format: answer.format, data: message, unknownFields };
  } catch (cause) {
    if (cause instanceof LimitExceeded && course.last !== undefined)
      throw tooLarge(course.last.answer, cause, course.last.secrets);
    if (!(cause instanceof UntrustedAnswer)) throw cause;
    throw new AttemptFailure(
      new EngineError({
        reason: { _tag: "Undecodable", problem: cause.message },
        url: asking.subject.url,
        attempts: asking.state.requests,
        cause: cause.cause,
        ...(asking.state.status === undefined ? {} : { status: asking.state.status }),
      }),
    );
  }
};

const formatToAsk = (parts: ClientParts, { settings, clock }: RequestPlan): "auto" | Format => {
  if (settings.format !== "auto") return settings.format;
  return parts.memory.preferred(parts.origin, clock.currentTimeMillisUnsafe()) === "json" ? "json" : "auto";
};

/** The requests of one reading. */
interface Course {
  last: Answered | undefined;
}

/** What caches that may write an answer in another form leave in it. */
const cacheTraces = ["cache-status", "age", "via"];

/**
 * The same request, for a second opinion: to be answered by the server itself where that is asked for (RFC 9111, 5.2.1.4),
 * and not to be made out of the first answer by a cache that can do that (5.2.1.6). The field is left out where no cache
 * shows: a browser would ask the server first whether pages may send it.
 */
const asWitness = (asking: RequestPlan, { answer }: Answered, fresh: boolean): RequestPlan => {
  if (!fresh && cacheTraces.every((name) => answer.headers.get(name) === null)) return asking;
  const headers = { ...asking.settings.headers, "cache-control": fresh ? "no-cache, no-transform" : "no-transform" };
  return { ...asking, settings: { ...asking.settings, headers } };
};

/** One request for a form; for JSON at once when the server says that it has no protobuf. */
const askFor = async <N extends EndpointName>(
  parts: ClientParts,
  name: N,
  asking: RequestPlan,
  format: Format,
  course: Course,
): Promise<Formed<N>> => {
  const answered = await request(parts, asking, mediaTypeOf(format));
  return formed(parts, name, asking, format, answered, course) ?? askFor(parts, name, asking, "json", course);
};

/** What an answer is; undefined when the server says that it has no protobuf. Throws AttemptFailure. */
const formed = <N extends EndpointName>(
  parts: ClientParts,
  name: N,
  asking: RequestPlan,
  format: Format,
  answered: Answered,
  course: Course,
): Formed<N> | undefined => {
  course.last = answered;
  if (answered.answer.status === 406 && format === "protobuf") {
    noteForm(parts, asking, "json");
    return undefined;
  }
  const reading = readSuccess(name, answered, asking);
  if (format === "protobuf") noteForm(parts, asking, reading.format);
  const digest = answered.answer.headers.get(schemaDigestHeader);
  return { ...reading, answered, digest, followed: answered.followed, limits: asking.settings.limits };
};

const noteForm = (parts: ClientParts, { subject, clock }: RequestPlan, answered: Format): void => {
  if (parts.memory.note(parts.origin, answered, clock.currentTimeMillisUnsafe()) && answered === "json") {
    parts.emit?.({ ...subject, type: "fallback", asked: "protobuf", answered });
  }
};

const readSuccess = <N extends EndpointName>(
  name: N,
  answered: Answered,
  asking: RequestPlan,
): Reading<ResponseSchemaOf<N>> => {
  const { answer, secrets } = answered;
  if (answer.status < 200 || answer.status > 299) {
    throw failureOf(answer, asking.clock.currentTimeMillisUnsafe(), secrets, asking.settings.limits);
  }
  try {
    const schema: ResponseSchemaOf<N> = endpoints[name].response;
    const isOurs = answer.headers.get(schemaDigestHeader) === schemaDigests[schema.typeName];
    return read(schema, answered.mediaType, answer.bytes, asking.settings.limits, isOurs);
  } catch (cause) {
    throw cause instanceof UnreadableBody ? spoiled(answered, cause.message, cause.cause) : cause;
  }
};

const spoiled = (answered: Answered, problem: string, cause?: unknown): AttemptFailure =>
  new AttemptFailure(errorOf(answered, { _tag: "Undecodable", problem: redact(problem, answered.secrets) }, cause));

const errorOf = ({ answer, secrets }: Answered, reason: EngineErrorReason, cause?: unknown): EngineError => {
  const requestId = requestIdOf(answer.headers);
  return new EngineError({
    reason,
    url: redact(publicUrl(answer.url), secrets),
    attempts: 1,
    status: answer.status,
    cause,
    ...(requestId === undefined ? {} : { requestId: redact(requestId, secrets) }),
  });
};

const newsTeller = (parts: ClientParts, { subject }: RequestPlan): Reader<never, never>["onNews"] =>
  parts.emit === undefined ? undefined : (news) => parts.emit?.({ ...subject, ...news });
