// Responses in verified protobuf, or in JSON.
import type { Message } from "@bufbuild/protobuf";
import type { ClientParts } from "../ClientParts.ts";
import { AttemptFailure } from "../Failure.ts";
import { mediaTypeOf } from "../MediaType.ts";
import type { ProtobufReader } from "../MessageReader.ts";
import { assertOptionNames } from "../OptionNames.ts";
import { UnverifiedProtobuf } from "../Reading.ts";
import { request, type Answered, type RequestPlan } from "../Requester.ts";
import { schemaDigestHeader } from "../SchemaDigest.ts";
import {
  SchemaVerifier,
  type FormatChoice,
  type OriginVerifier,
  type VerificationOptions,
} from "../verify/SchemaVerifier.ts";
import type { VerificationNews } from "../verify/VerifiedFields.ts";
import {
  readAnswer,
  readNothing,
  receiveAs,
  unverified,
  type HttpCall,
  type Receive,
  type ReceivedBody,
} from "./HttpCall.ts";

const verificationNames = Object.keys({
  fieldNumbers: 0,
  memory: 0,
  sampleEvery: 0,
  responsesPerExtraRequest: 0,
} satisfies Record<keyof VerificationOptions, 0>);

/** Reads protobuf where it is verified, or what the call says. Throws TypeError or RangeError for invalid options. */
export const receiver = (options: VerificationOptions | undefined): Receive => {
  assertOptionNames(options, verificationNames, "protobufVerification");
  const verifier = new SchemaVerifier(options);
  return (parts, call, plan) => {
    if (call.isStrict || (call.format === "verify" && call.isComparable))
      return receiveVerified(verifier, parts, call, plan);
    return receiveAs(parts, call, plan, call.format === "verify" ? "json" : call.format);
  };
};

/** Asks for the format that the verifier chooses; where its protobuf cannot be verified, once more in JSON. */
const receiveVerified = async <M extends Message>(
  verifier: SchemaVerifier,
  parts: ClientParts,
  call: HttpCall<M>,
  plan: RequestPlan,
): Promise<ReceivedBody<M>> => {
  const { origin, inFlight, renewable } = parts;
  const { settings, clock, subject } = plan;
  const known = verifier.of(origin);
  // Calls that may have tokens of their own, or share nothing, do not share the second request either.
  const key = inFlight !== undefined && settings.dedupe && !renewable ? plan.url : undefined;
  const isChosen = call.format === "verify" && call.isComparable;
  const choice: FormatChoice = isChosen
    ? known.choose(clock.currentTimeMillisUnsafe(), key)
    : { format: call.format === "protobuf" ? "protobuf" : "json", isProbe: false };
  try {
    const answered = await request(parts, plan, mediaTypeOf(choice.format));
    if (choice.format === "protobuf" && isChosen && answered.answer.status === 406) {
      noteJson(parts, known, plan);
      return await receiveAs(parts, call, plan, "json", readNothing);
    }
    const named = verifier.isNamed(
      call.responseBody?.message ?? call.output,
      answered.answer.headers.get(schemaDigestHeader),
    );
    const isNamed = typeof named === "boolean" ? named : await named;
    let isSample: boolean | undefined;
    const onNews = (news: VerificationNews): void => parts.emit?.({ ...subject, ...news });
    const readVerified: ProtobufReader = (schema, bytes, limits = settings.limits) => {
      const verified = known.read(schema, bytes, isNamed, limits, onNews, call.codec.readProtobuf);
      if (verified === undefined) throw new UnverifiedProtobuf(schema, bytes);
      isSample = verified.isSample;
      return verified.message;
    };
    let received: ReceivedBody<M>;
    try {
      received = { answered, ...readAnswer(answered, plan, call, readVerified) };
    } catch (cause) {
      if (!(cause instanceof UnverifiedProtobuf)) throw cause;
      if (!isChosen || choice.format === "json")
        throw new AttemptFailure(unverified(answered, choice.format), { exhausted: choice.format === "protobuf" });
      known.spend(choice, false);
      const json = await receiveAs(parts, call, asComparison(plan, answered), "json", readNothing);
      compareBoth(known, call, cause.bytes, json, onNews);
      return json;
    }
    if (received.format === "json") {
      if (choice.format === "protobuf") noteJson(parts, known, plan);
      else known.sawJson(isNamed);
      return received;
    }
    if (!isSample || !isChosen) return received;
    known.spend(choice, true);
    return await sampled(parts, call, plan, received, known, onNews);
  } finally {
    known.end(choice);
  }
};

/** Compares a verified response with JSON, and hands that out; without it, what was verified so far. */
const sampled = async <M extends Message>(
  parts: ClientParts,
  call: HttpCall<M>,
  plan: RequestPlan,
  received: ReceivedBody<M>,
  known: OriginVerifier,
  onNews: (news: VerificationNews) => void,
): Promise<ReceivedBody<M>> => {
  try {
    const { answered } = received;
    const json = await plan.timer.spare((cancel) =>
      receiveAs(parts, call, { ...asComparison(plan, answered), cancel }, "json", readNothing),
    );
    compareBoth(known, call, answered.answer.bytes, json, onNews);
    return json;
  } catch {
    return received;
  }
};

const compareBoth = <M extends Message>(
  known: OriginVerifier,
  { responseBody, output }: HttpCall<M>,
  bytes: Uint8Array,
  { format, message, answered }: ReceivedBody<M>,
  onNews: (news: VerificationNews) => void,
): void => {
  // The same pair twice would count as two.
  if (format !== "json" || answered.followed || responseBody !== undefined) return;
  known.compare(output, bytes, message, onNews);
};

const noteJson = (parts: ClientParts, known: OriginVerifier, { clock, subject }: RequestPlan): void => {
  if (known.answersJson(clock.currentTimeMillisUnsafe()))
    parts.emit?.({ ...subject, type: "fallback", asked: "protobuf", answered: "json" });
};

/** Fields that a cache leaves in a response that it may have transcoded. */
const cacheTraces = ["cache-status", "age", "via"];

/**
 * The same request once more. A cache must not make JSON of the protobuf (RFC 9111, 5.2.1.6). The field is left out where no cache
 * shows: a browser would ask the server first whether pages may send it.
 */
const asComparison = (plan: RequestPlan, { answer }: Answered): RequestPlan => {
  if (cacheTraces.every((name) => answer.headers.get(name) === null)) return plan;
  const headers = { ...plan.settings.headers, "cache-control": "no-transform" };
  return { ...plan, settings: { ...plan.settings, headers } };
};
