// The calls of the engines API.
import { isFieldSet, type DescMessage } from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import type { Engine, EngineMessage } from "@bytenite-engines/proto";
import * as Effect from "effect/Effect";
import { counted } from "../AttemptPlan.ts";
import type { ApiResponse, RequestOf, ResponseOf } from "../ApiResponse.ts";
import type { ClientParts } from "../ClientParts.ts";
import { newMessage } from "../Descriptor.ts";
import { endpoints, pathOf, type Endpoint, type EndpointName, type ReadName } from "../Endpoint.ts";
import { EngineError } from "../EngineError.ts";
import { parseTag } from "../EngineTag.ts";
import { AttemptFailure } from "../Failure.ts";
import { EngineMessageSchema, EngineSchema } from "../gen/descriptors.ts";
import { readOwn } from "../MessageReader.ts";
import { mediaTypeOf, type Format } from "../MediaType.ts";
import {
  InvalidParameter,
  messageRequest,
  uploadProblem,
  type MessageParams,
  type UploadParams,
  type WriteCondition,
} from "../Parameters.ts";
import { encodePlainQuery } from "../QueryParameters.ts";
import { LimitExceeded, type ReadLimits } from "../ReadLimits.ts";
import { read, UnreadableBody } from "../Reading.ts";
import { request, type RequestPlan } from "../Requester.ts";
import { publicUrl } from "../Transport.ts";
import { noUnknownFields } from "../UnknownFields.ts";
import { UnverifiedProtobuf } from "../verify/SchemaVerifier.ts";
import {
  noHeaders,
  readAnswer,
  sendCall,
  type DecodedBody,
  type HttpCall,
  type ProtobufReader,
  type RawBody,
  type ReceivedBody,
} from "./HttpCall.ts";

/** Reads engines. */
export const readEngines = <N extends ReadName>(
  parts: ClientParts,
  name: N,
  tag: string | undefined,
  request: RequestOf<N> | InvalidParameter | undefined,
): Effect.Effect<ApiResponse<ResponseOf<N>>, EngineError> =>
  Effect.suspend(() => {
    if (request instanceof InvalidParameter) return Effect.fail(invalid(parts, name, request.problem));
    const call = prepare(parts, name, tag, request);
    return call instanceof EngineError ? Effect.fail(call) : sendCall(parts, call);
  });

/** What an upload, at the least, gets through in a millisecond: its timeouts grow with its size. */
const uploadBytesPerMs = 100;

/** An archive that was sent to the server's storage: its link, and its digest as a header. */
export interface SentArchive {
  readonly engineLink: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Uploads an archive, in the request unless `send` has sent it elsewhere. */
export const upload = (
  parts: ClientParts,
  archive: Uint8Array,
  params: UploadParams = {},
  send: (own: ClientParts, archive: Uint8Array) => Effect.Effect<SentArchive | undefined, EngineError> = () =>
    Effect.succeed(undefined),
): Effect.Effect<ApiResponse<Engine>, EngineError> =>
  Effect.suspend(() => {
    const wrong = uploadProblem(archive, params);
    if (wrong !== undefined) return Effect.fail(invalid(parts, "upload", wrong.problem));
    const { tag = "", engineId = "", activate = false, ifRevision } = params;
    if (tag !== "" && parseTag(tag)?.minor === undefined)
      return Effect.fail(invalid(parts, "upload", `${JSON.stringify(tag.slice(0, 100))} must be name@major.minor`));
    const { maxArchiveBytes } = parts.settings.limits;
    if (archive.byteLength > maxArchiveBytes) return Effect.fail(tooLarge(parts, maxArchiveBytes));
    const problem = revisionProblem("upload", ifRevision);
    if (problem !== undefined) return Effect.fail(invalid(parts, "upload", problem));
    const own = forUpload(parts, archive.byteLength);
    return Effect.flatMap(send(own, archive), (sent) => {
      const data = sent === undefined ? { engineData: archive } : { engineLink: sent.engineLink };
      const init = { engineId, engineTag: tag, engineStatus: activate ? "active" : "", ...data };
      const call = prepare(parts, "upload", undefined, init, { ...conditionOf(ifRevision), ...sent?.headers });
      if (call instanceof EngineError) return Effect.fail(call);
      const recover = tag === "" ? undefined : recovery(own, archive, params);
      return sendCall<Engine>(own, recover === undefined ? call : { ...call, recover });
    });
  });

/** Asks for a link to which an archive of so many bytes may be sent. An extension: other servers answer 404, 405 or 501. */
export const askUploadLink = (
  parts: ClientParts,
  bytes: number,
): Effect.Effect<ApiResponse<EngineMessage>, EngineError> =>
  Effect.suspend(() => {
    // Its body and its answer are those of the calls that change an engine.
    const call = prepare(parts, "activate", "any", {}, { "upload-length": String(bytes) });
    if (call instanceof EngineError) return Effect.fail(call);
    return sendCall<EngineMessage>(parts, { ...call, name: "upload", template: "/uploads", target: "/uploads" });
  });

/** Activates or deactivates an engine, or gets the link to its archive. */
export const change = (
  parts: ClientParts,
  name: Exclude<EndpointName, ReadName | "upload">,
  tag: string,
  params: MessageParams & WriteCondition = {},
): Effect.Effect<ApiResponse<EngineMessage>, EngineError> =>
  Effect.suspend(() => {
    const request = messageRequest(params);
    if (request instanceof InvalidParameter) return Effect.fail(invalid(parts, name, request.problem));
    const { ifRevision } = params;
    const problem = revisionProblem(name, ifRevision);
    if (problem !== undefined) return Effect.fail(invalid(parts, name, problem));
    const call = prepare(parts, name, tag, request, conditionOf(ifRevision));
    return call instanceof EngineError ? Effect.fail(call) : sendCall(parts, call);
  });

/** The method and path of a deletion. It is an extension of our registry, so that the table of endpoints has no row of it. */
const deletion = { name: "delete", method: "DELETE", template: endpoints.get.path } as const;

/** Deletes one version of an engine. */
export const remove = (
  parts: ClientParts,
  tag: string,
  { ifRevision }: WriteCondition = {},
): Effect.Effect<ApiResponse<EngineMessage>, EngineError> =>
  Effect.suspend(() => {
    const target = typeof tag === "string" && parseTag(tag)?.minor !== undefined ? pathOf("get", tag) : undefined;
    const { name, method } = deletion;
    if (target === undefined) return Effect.fail(invalid(parts, method, `${shown(tag)} must be name@major.minor`));
    const problem = revisionProblem(name, ifRevision);
    if (problem !== undefined) return Effect.fail(invalid(parts, method, problem));
    const output = EngineMessageSchema;
    return sendCall<EngineMessage>(parts, {
      ...deletion,
      target,
      headers: conditionOf(ifRevision),
      body: undefined,
      format: "json",
      isStrict: true,
      output,
      bodySchema: output,
      isComparable: false,
      repeats: true,
      gone: newMessage(output, { engineTag: tag }),
      readBytes: readOwn,
      decode: (body, limits, readProtobuf) => decoded(output, body, limits, readProtobuf) as never,
    });
  });

/** Largest revision: it is an int32. */
const maxRevision = 2_147_483_647;

/** What is wrong with a revision; only an upload may be for an engine that there is not yet. */
const revisionProblem = (name: EndpointName | "delete", ifRevision: number | undefined): string | undefined => {
  const least = name === "upload" ? 0 : 1;
  return ifRevision === undefined || (Number.isInteger(ifRevision) && ifRevision >= least && ifRevision <= maxRevision)
    ? undefined
    : `ifRevision must be a whole number from ${least} to ${maxRevision}, not ${ifRevision}`;
};

const conditionOf = (ifRevision: number | undefined): Readonly<Record<string, string>> => {
  if (ifRevision === undefined) return noHeaders;
  return ifRevision === 0 ? { "if-none-match": "*" } : { "if-match": `"revision-${ifRevision}"` };
};

/** The parts with timeouts for so many bytes, and with progress events. */
const forUpload = (parts: ClientParts, bytes: number): ClientParts => {
  const { attemptTimeoutMs, deadlineMs, retry } = parts.settings;
  const sendMs = bytes / uploadBytesPerMs;
  const report = (url: string, sent: number): void =>
    parts.emit?.({
      endpoint: "upload",
      url: publicUrl(url),
      method: "POST",
      type: "progress",
      direction: "upload",
      bytes: sent,
      totalBytes: bytes,
    });
  return {
    ...parts,
    fetch: async (url, init) => {
      if (init.body === undefined) return parts.fetch(url, init);
      report(url, 0);
      const response = await parts.fetch(url, init);
      report(url, bytes);
      return response;
    },
    settings: {
      ...parts.settings,
      attemptTimeoutMs: attemptTimeoutMs + sendMs,
      deadlineMs: deadlineMs + sendMs * retry.maxAttempts,
    },
  };
};

const prepare = <N extends EndpointName>(
  parts: ClientParts,
  name: N,
  tag: string | undefined,
  init: RequestOf<N> | undefined,
  condition = noHeaders,
): HttpCall<ResponseOf<N>> | EngineError => {
  const row: Endpoint = endpoints[name];
  const path = pathOf(name, tag);
  if (path === undefined) return invalidTag(parts, name, tag);
  const { format } = parts.settings;
  const sends: Format = format === "protobuf" ? "protobuf" : "json";
  const message = init === undefined && row.body === "" ? undefined : newMessage(row.request, init);
  const query = row.body === "*" || message === undefined ? "" : encodePlainQuery(row.request, message, ["engine_tag"]);
  const isRead = row.method === "GET" && name !== "download";
  return {
    name,
    method: row.method,
    template: row.path,
    target: query === "" ? path : `${path}?${query}`,
    headers: row.body === "*" ? { ...condition, "content-type": mediaTypeOf(sends) } : condition,
    body: row.body === "*" ? encoded(message as EngineMessage, sends) : undefined,
    // A request that changes something, and a signed link, cannot be sent twice to compare them.
    format: isRead && format === "auto" ? "verify" : sends,
    isStrict: isRead || sends === "json",
    output: row.response,
    bodySchema: row.response,
    isComparable: isRead,
    repeats: row.idempotency !== "none",
    readBytes: readOwn,
    decode: (body, limits, readProtobuf) => decoded(row.response, body, limits, readProtobuf) as never,
  };
};

const invalidTag = (parts: ClientParts, name: EndpointName, tag: unknown): EngineError =>
  invalid(parts, name, `${shown(tag)} is no tag; one looks like name, name@1 or name@1.2`);

const shown = (tag: unknown): string => (typeof tag === "string" ? JSON.stringify(tag.slice(0, 100)) : String(tag));

/**
 * An EngineMessage has text and bytes only. By hand, into one buffer: protobuf-es's writer is as large as this file, and a string of
 * base64 for a large archive takes many times its memory.
 */
const encoded = (message: EngineMessage, format: Format): Uint8Array<ArrayBuffer> => {
  const utf8 = new TextEncoder();
  const values = message as unknown as Readonly<Record<string, string | Uint8Array>>;
  const pieces: Array<Uint8Array | Base64> = [];
  for (const field of EngineMessageSchema.fields) {
    if (!isFieldSet(message, field)) continue;
    const value = values[field.localName] ?? "";
    if (format === "protobuf") {
      const bytes = typeof value === "string" ? utf8.encode(value) : value;
      pieces.push(Uint8Array.of(field.number * 8 + lengthDelimited, ...varint(bytes.byteLength)), bytes);
      continue;
    }
    const name = `${pieces.length === 0 ? "{" : ","}${JSON.stringify(field.jsonName)}:`;
    if (typeof value === "string") pieces.push(utf8.encode(name + JSON.stringify(value)));
    else pieces.push(utf8.encode(`${name}"`), { base64: value }, utf8.encode('"'));
  }
  if (format === "json") pieces.push(utf8.encode(pieces.length === 0 ? "{}" : "}"));
  return joined(pieces);
};

/** Bytes that are written as base64. */
interface Base64 {
  readonly base64: Uint8Array;
}

const joined = (pieces: ReadonlyArray<Uint8Array | Base64>): Uint8Array<ArrayBuffer> => {
  const lengths = pieces.map((piece) =>
    "base64" in piece ? Math.ceil(piece.base64.byteLength / 3) * 4 : piece.byteLength,
  );
  const whole = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let offset = 0;
  for (const [index, piece] of pieces.entries()) {
    if ("base64" in piece) writeBase64(piece.base64, whole, offset);
    else whole.set(piece, offset);
    offset += lengths[index] ?? 0;
  }
  return whole;
};

const alphabet = /* @__PURE__ */ new TextEncoder().encode(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
);

const writeBase64 = (bytes: Uint8Array, into: Uint8Array, start: number): void => {
  let at = start;
  for (let index = 0; index < bytes.length; index += 3) {
    const left = bytes.length - index;
    const three = ((bytes[index] ?? 0) << 16) | ((bytes[index + 1] ?? 0) << 8) | (bytes[index + 2] ?? 0);
    into[at++] = alphabet[three >> 18] ?? 0;
    into[at++] = alphabet[(three >> 12) & 63] ?? 0;
    into[at++] = left > 1 ? (alphabet[(three >> 6) & 63] ?? 0) : padding;
    into[at++] = left > 2 ? (alphabet[three & 63] ?? 0) : padding;
  }
};

/** `=` */
const padding = 0x3d;

/** The wire type of text and bytes. */
const lengthDelimited = 2;

const varint = (value: number): ReadonlyArray<number> =>
  value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...varint(Math.floor(value / 0x80))];

const decoded = (
  schema: DescMessage,
  { contentType, bytes, isVerified }: RawBody,
  limits: ReadLimits,
  readProtobuf: ProtobufReader,
): DecodedBody => {
  const reading = read(schema, contentType, bytes, limits, isVerified);
  if (reading.format === "json") return reading;
  try {
    return { format: "protobuf", message: readProtobuf(schema, bytes, limits), unknownFields: noUnknownFields };
  } catch (cause) {
    if (cause instanceof LimitExceeded || cause instanceof UnreadableBody || cause instanceof UnverifiedProtobuf)
      throw cause;
    throw new UnreadableBody(`its protobuf is no ${schema.typeName}`, { cause });
  }
};

/** What is looked at before an upload is sent again: whether the server has this archive under this tag. */
const recovery = (
  parts: ClientParts,
  archive: Uint8Array,
  { tag = "", activate = false, ifRevision }: UploadParams,
): NonNullable<HttpCall<Engine>["recover"]> => {
  return async (plan) => {
    const stored = await storedEngine(parts, plan, tag);
    if (stored === undefined) return ifRevision === undefined || ifRevision === 0 ? { "if-none-match": "*" } : {};
    const { message } = stored;
    if (message.hash === (await hashOf(archive))) {
      if (!activate || message.status === "active") return stored;
      // The same archive again changes its status only.
    } else if (ifRevision !== undefined && message.revision !== ifRevision) {
      throw new AttemptFailure(
        new EngineError({
          reason: { _tag: "Conflict" },
          url: plan.url,
          method: "POST",
          ...counted(plan.state),
          serverMessage: `the engine has revision ${message.revision} and another archive: somebody else uploaded it, and this upload was not carried out or was overwritten`,
        }),
      );
    }
    return { "if-match": `"revision-${message.revision}"` };
  };
};

/** The engine under a tag as the server itself has it now; undefined where there is none. */
const storedEngine = async (
  parts: ClientParts,
  plan: RequestPlan,
  tag: string,
): Promise<ReceivedBody<Engine> | undefined> => {
  const url = `${parts.baseUrl}${pathOf("get", tag) ?? ""}`;
  const headers = { ...parts.settings.headers, "cache-control": "no-cache, no-transform" };
  const { clock, span, signal, state, timer, hedge } = plan;
  const reading: RequestPlan = {
    clock,
    span,
    signal,
    state,
    timer,
    hedge,
    url,
    subject: {
      endpoint: "get",
      url,
    },
    settings: {
      ...parts.settings,
      headers,
    },
  };
  const answered = await request(parts, reading, mediaTypeOf("json"));
  if (answered.answer.status === 404) return undefined;
  return {
    answered,
    ...readAnswer<Engine>(answered, reading, {
      readBytes: readOwn,
      decode: (body, limits, readProtobuf) => decoded(EngineSchema, body, limits, readProtobuf) as never,
    }),
  };
};

/** The SHA-256 of an archive as engines carry it, in base64. */
export const hashOf = async (archive: Uint8Array): Promise<string> =>
  base64Encode(new Uint8Array(await crypto.subtle.digest("SHA-256", archive as Uint8Array<ArrayBuffer>)));

const invalid = (parts: ClientParts, name: EndpointName | "DELETE", problem: string): EngineError =>
  new EngineError({
    reason: { _tag: "InvalidArgument" },
    method: name === "DELETE" ? name : endpoints[name].method,
    url: `${parts.baseUrl}/engines`,
    attempts: 0,
    serverMessage: problem,
  });

const tooLarge = (parts: ClientParts, maxArchiveBytes: number): EngineError =>
  new EngineError({
    reason: { _tag: "TooLarge", limit: "maxArchiveBytes", value: maxArchiveBytes },
    method: "POST",
    url: `${parts.baseUrl}/engines`,
    attempts: 0,
  });
