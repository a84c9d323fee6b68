// Calls of the engines API as effects, for both entries.
import type * as Effect from "effect/Effect";
import type { ApiResponse, Engine, EngineArchive, EngineListResponse, EngineMessage } from "../ApiResponse.ts";
import type { CallOptions } from "../ClientOptions.ts";
import { withPartsOfCall, type ClientParts } from "../ClientParts.ts";
import type { EngineError } from "../EngineError.ts";
import {
  listRequest,
  messageRequest,
  type ListParams,
  type MessageParams,
  type UploadParams,
  type WriteCondition,
} from "../Parameters.ts";
import { openArchive } from "./EngineArchive.ts";
import { change, readEngines, remove, upload } from "./EngineCalls.ts";
import { sendByLink } from "./LinkedUpload.ts";

type Call<A> = Effect.Effect<A, EngineError>;
type Answered<T> = Call<ApiResponse<T>>;

/** One method for each call. */
export interface EngineMethods {
  readonly list: (params?: ListParams, options?: CallOptions) => Answered<EngineListResponse>;
  readonly get: (tag: string, options?: CallOptions & MessageParams) => Answered<Engine>;
  readonly status: (tag: string, options?: CallOptions & MessageParams) => Answered<EngineMessage>;
  readonly upload: (archive: Uint8Array, options?: CallOptions & UploadParams) => Answered<Engine>;
  readonly activate: ChangeMethod;
  readonly deactivate: ChangeMethod;
  readonly download: ChangeMethod;
  readonly delete: (tag: string, options?: CallOptions & WriteCondition) => Answered<EngineMessage>;
  readonly archive: (tag: string, options?: CallOptions & MessageParams) => Call<EngineArchive>;
}

type ChangeMethod = (tag: string, options?: CallOptions & MessageParams & WriteCondition) => Answered<EngineMessage>;

const messageNames = ["engineId", "engineData", "engineLink", "engineStatus"];
const uploadNames = ["tag", "activate", "engineId", "ifRevision"];

/** The methods of a client. `others`: names of further options of the entry. */
export const engineMethods = (parts: ClientParts, others: ReadonlyArray<string> = []): EngineMethods => {
  const within = <A>(
    options: CallOptions | undefined,
    names: ReadonlyArray<string>,
    call: (own: ClientParts) => Call<A>,
  ): Call<A> => withPartsOfCall(parts, options, [...others, ...names], call);
  const changed =
    (name: "activate" | "deactivate" | "download"): ChangeMethod =>
    (tag, options) =>
      within(options, [...messageNames, "ifRevision"], (own) => change(own, name, tag, options));
  return {
    list: (params, options) => within(options, [], (own) => readEngines(own, "list", undefined, listRequest(params))),
    get: (tag, options) =>
      within(options, messageNames, (own) => readEngines(own, "get", tag, messageRequest(options))),
    status: (tag, options) =>
      within(options, messageNames, (own) => readEngines(own, "status", tag, messageRequest(options))),
    upload: (archive, options) => within(options, uploadNames, (own) => upload(own, archive, options, sendByLink)),
    activate: changed("activate"),
    deactivate: changed("deactivate"),
    download: changed("download"),
    delete: (tag, options) => within(options, ["ifRevision"], (own) => remove(own, tag, options)),
    archive: (tag, options) => within(options, messageNames, (own) => openArchive(own, tag, options)),
  };
};

/** The methods whose answers have `data`, by name. */
const methodNames = ["list", "get", "status", "upload", "activate", "deactivate", "download", "delete"] as const;

/** The name of such a method. */
export type MethodName = (typeof methodNames)[number];

export const dataOf = <T>(answer: ApiResponse<T>): T => answer.data;

/** A method for each name; the entries say of which type they are. */
export const methodsBy = (method: (name: MethodName) => unknown): Readonly<Record<MethodName, never>> =>
  Object.fromEntries(methodNames.map((name) => [name, method(name)])) as never;

/** Any of those methods: what it is about, and options. */
export type AnyMethod<O> = (subject: never, options: O | undefined) => Call<ApiResponse<unknown>>;
