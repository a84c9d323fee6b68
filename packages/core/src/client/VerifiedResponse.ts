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
import { SchemaVerifier, type FormatChoice, type VerificationOptions } from "../verify/SchemaVerifier.ts";
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
  fieldNumbers: null,
  memory: null,
  sampleEvery: null,
  responsesPerExtraRequest: null,
} satisfies Record<keyof VerificationOptions, null>);

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
const receiveVerified = <M extends Message>(
  verifier: SchemaVerifier,
  parts: ClientParts,
  call: HttpCall<M>,
  plan: RequestPlan,
): Promise<ReceivedBody<M>> => {
  const { origin, inFlight, renewable, emit } = parts;
  const { settings, clock, subject } = plan;
  const { output, responseBody, codec } = call;
  const known = verifier.of(origin);
  // Calls that may have tokens of their own, or share nothing, do not share the second request either.
  const key = inFlight !== undefined && settings.dedupe && !renewable ? plan.url : undefined;
  const isChosen = call.format === "verify" && call.isComparable;
  const choice: FormatChoice = isChosen
    ? known.choose(clock.currentTimeMillisUnsafe(), key)
    : { format: call.format === "protobuf" ? "protobuf" : "json", isProbe: false };
  const onNews = (news: VerificationNews): void => emit?.({ ...subject, ...news });
  const noteJson = (): void => {
    if (known.answersJson(clock.currentTimeMillisUnsafe()))
      emit?.({ ...subject, type: "fallback", asked: "protobuf", answered: "json" });
  };
  /** Asks in JSON, and compares that with protobuf of the same resource. */
  const inJson = async (answered: Answered, bytes: Uint8Array, cancel = plan.cancel): Promise<ReceivedBody<M>> => {
    const asked = { ...asComparison(plan, answered), cancel };
    const json = await receiveAs(parts, call, asked, "json", readNothing);
    // The same pair twice would count as two.
    if (!json.answered.followed && responseBody === undefined) known.compare(output, bytes, json.message, onNews);
    return json;
  };
  const read = (answered: Answered, isNamed: boolean): ReceivedBody<M> | Promise<ReceivedBody<M>> => {
    let isSample: boolean | undefined;
    const readVerified: ProtobufReader = (schema, bytes, limits = settings.limits) => {
      const verified = known.read(schema, bytes, isNamed, limits, onNews, codec.readProtobuf);
      if (verified === undefined) throw new UnverifiedProtobuf(schema, bytes);
      isSample = verified.isSample;
      return verified.message;
    };
    let received: ReceivedBody<M>;
    try {
      received = readAnswer(answered, plan, call, readVerified);
    } catch (cause) {
      if (!(cause instanceof UnverifiedProtobuf)) throw cause;
      if (!isChosen || choice.format === "json")
        throw new AttemptFailure(unverified(answered, choice.format), { exhausted: choice.format === "protobuf" });
      known.spend(choice, false);
      return inJson(answered, cause.bytes);
    }
    if (received.format === "json") {
      if (choice.format === "protobuf") noteJson();
      else known.sawJson(isNamed);
      return received;
    }
    if (!isSample || !isChosen) return received;
    known.spend(choice, true);
    // Without the JSON, what was verified so far.
    return plan.timer.spare((cancel) => inJson(answered, answered.answer.bytes, cancel)).catch(() => received);
  };
  const received = request(parts, plan, mediaTypeOf(choice.format), (answered) => {
    const { status, headers } = answered.answer;
    if (choice.format === "protobuf" && isChosen && status === 406) {
      noteJson();
      return receiveAs(parts, call, plan, "json", readNothing);
    }
    const named = verifier.isNamed(responseBody?.message ?? output, headers.get(schemaDigestHeader));
    return typeof named === "boolean" ? read(answered, named) : named.then((isNamed) => read(answered, isNamed));
  });
  return choice.isProbe ? received.finally(() => known.end(choice)) : received;
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
