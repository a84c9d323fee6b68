// Uploads of archives, in the request or by a link to storage.
import { base64Encode } from "@bufbuild/protobuf/wire";
import type { Engine, EngineMessage } from "@bytenite-engines/proto";
import * as Effect from "effect/Effect";
import type { ApiResponse } from "../ApiResponse.ts";
import { counted } from "../AttemptPlan.ts";
import { pathOf } from "../Endpoint.ts";
import { EngineError } from "../EngineError.ts";
import { parseTag } from "../EngineTag.ts";
import { AttemptFailure } from "../Failure.ts";
import { EngineMessageSchema, EngineSchema } from "../gen/descriptors.ts";
import { bindings } from "../gen/endpoints.ts";
import { mediaTypeOf } from "../MediaType.ts";
import { assertUpload, type UploadParams } from "../Parameters.ts";
import { request, type RequestPlan } from "../Requester.ts";
import { publicUrl } from "../Transport.ts";
import { openLink } from "./EngineArchive.ts";
import { call, conditionOf, made, rpcOf, type EngineParts } from "./EngineCalls.ts";
import { readAnswer, type HttpCall, type ReceivedBody } from "./HttpCall.ts";

/** What an upload, at the least, gets through in a millisecond: its timeouts grow with its size. */
const uploadBytesPerMs = 100;

/** Bytes above which a link is asked for: some platforms take no bodies of 100 MB, and base64 makes 4 bytes of 3. */
const longestInRequest = 32 * 1_048_576;

/** Uploads an archive. */
export const upload = (
  parts: EngineParts,
  archive: Uint8Array,
  params: UploadParams = {},
): Effect.Effect<ApiResponse<Engine>, EngineError> =>
  made(parts, "POST", () => {
    assertUpload(archive, params);
    const { tag = "", engineId = "", activate = false, ifRevision } = params;
    if (tag !== "" && parseTag(tag)?.minor === undefined)
      throw new TypeError(`${JSON.stringify(tag.slice(0, 100))} must be name@major.minor`);
    const { maxArchiveBytes } = parts.settings.limits;
    if (archive.byteLength > maxArchiveBytes) return Effect.fail(tooLarge(parts, maxArchiveBytes));
    const condition = conditionOf(ifRevision, 0);
    const own = forUpload(parts, archive.byteLength);
    return Effect.flatMap(sendByLink(own, archive), (sent) => {
      const data = sent === undefined ? { engineData: archive } : { engineLink: sent.engineLink };
      const init = { engineId, engineTag: tag, engineStatus: activate ? "active" : "", ...data };
      const headers = sent === undefined ? condition : { ...condition, ...sent.headers };
      const recover = tag === "" ? {} : { recover: recovery(own, archive, params) };
      return call<Engine>(own, rpcOf("upload"), init, { headers, ...recover });
    });
  });

/** Where a long archive is sent: an extension, to which other servers answer 404, 405 or 501. */
const uploads = {
  ...bindings.upload,
  template: { source: "/uploads", segments: [{ kind: "literal", text: "uploads" }], variables: [] },
} as const;

/** Sends a long archive to where the server says, or nothing where it takes archives in requests only. The link to it, and its digest as a header. */
const sendByLink = (
  parts: EngineParts,
  archive: Uint8Array,
): Effect.Effect<{ engineLink: string; headers: Readonly<Record<string, string>> } | undefined, EngineError> => {
  if (archive.byteLength <= longestInRequest) return Effect.succeed(undefined);
  const method = { ...rpcOf("upload"), output: EngineMessageSchema, bindings: [uploads], isIdempotent: true };
  const headers = { "upload-length": String(archive.byteLength) };
  const asked = Effect.catchIf(
    Effect.map(call<EngineMessage>(parts, method, {}, { headers }), ({ data }) => data.engineLink),
    ({ reason }: EngineError) => reason._tag === "NotFound" || reason._tag === "Unimplemented",
    () => Effect.succeed(""),
  );
  return Effect.flatMap(asked, (link) => {
    if (link === "") return Effect.succeed(undefined);
    return Effect.flatMap(openLink(parts, link, archive), () =>
      Effect.promise(async () => ({
        // What signs the link is of no use to the server.
        engineLink: link.replace(/[?#].*$/s, ""),
        headers: { "repr-digest": `sha-256=:${await hashOf(archive)}:` },
      })),
    );
  });
};

/** The parts with timeouts for so many bytes, and with progress events. */
const forUpload = (parts: EngineParts, bytes: number): EngineParts => {
  const { attemptTimeoutMs, deadlineMs, retry } = parts.settings;
  const sendMs = bytes / uploadBytesPerMs;
  const progress = {
    type: "progress",
    endpoint: "upload",
    method: "POST",
    direction: "upload",
    totalBytes: bytes,
  } as const;
  const report = (url: string, bytes: number): void => parts.emit?.({ ...progress, url: publicUrl(url), bytes });
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

/** What is looked at before an upload is sent again: whether the server has this archive under this tag. */
const recovery =
  (
    parts: EngineParts,
    archive: Uint8Array,
    { tag = "", activate = false, ifRevision }: UploadParams,
  ): NonNullable<HttpCall<Engine>["recover"]> =>
  async (plan) => {
    const stored = await storedEngine(parts, plan, tag);
    if (stored === undefined) return ifRevision === undefined ? { "if-none-match": "*" } : {};
    const { hash, status, revision } = stored.message;
    if (hash === (await hashOf(archive))) {
      if (!activate || status === "active") return stored;
      // The same archive again changes its status only.
    } else if (ifRevision !== undefined && revision !== ifRevision) {
      const serverMessage = `the engine has revision ${revision} and another archive: somebody else uploaded it, and this upload was not carried out or was overwritten`;
      const reason = { _tag: "Conflict" } as const;
      throw new AttemptFailure(
        new EngineError({ reason, url: plan.url, method: "POST", ...counted(plan.state), serverMessage }),
      );
    }
    return { "if-match": `"revision-${revision}"` };
  };

/** The engine under a tag as the server itself has it now; undefined where there is none. */
const storedEngine = (
  parts: EngineParts,
  plan: RequestPlan,
  tag: string,
): Promise<ReceivedBody<Engine> | undefined> => {
  const url = `${parts.baseUrl}${pathOf("get", tag) ?? ""}`;
  const headers = { ...parts.settings.headers, "cache-control": "no-cache, no-transform" };
  const { body: _, ...reading }: RequestPlan = {
    ...plan,
    url,
    subject: { endpoint: "get", url },
    settings: { ...parts.settings, headers },
  };
  const call = { codec: parts.wire.codec, output: EngineSchema, responseBody: undefined, isStrict: true };
  return request(parts, reading, mediaTypeOf("json"), (answered) =>
    answered.answer.status === 404 ? undefined : readAnswer<Engine>(answered, reading, call),
  );
};

/** The SHA-256 of an archive as engines carry it, in base64. */
const hashOf = async (archive: Uint8Array): Promise<string> =>
  base64Encode(new Uint8Array(await crypto.subtle.digest("SHA-256", archive as Uint8Array<ArrayBuffer>)));

const tooLarge = (parts: EngineParts, value: number): EngineError => {
  const reason = { _tag: "TooLarge", limit: "maxArchiveBytes", value } as const;
  return new EngineError({ reason, method: "POST", url: `${parts.baseUrl}/engines`, attempts: 0 });
};
