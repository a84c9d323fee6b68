// Calls of the engines API as effects, for both entries.
import type * as Effect from "effect/Effect";
import type { ApiResponse, Engine, EngineArchive, EngineListResponse, EngineMessage } from "../ApiResponse.ts";
import type { CallOptions } from "../ClientOptions.ts";
import { withPartsOfCall, type ClientParts } from "../ClientParts.ts";
import { endpoints, type EndpointName } from "../Endpoint.ts";
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

/** The name of a method whose answers have `data`: that of an endpoint, or `delete`, which only our registry has. */
export type MethodName = EndpointName | "delete";

const methodNames = [...Object.keys(endpoints), "delete"] as ReadonlyArray<MethodName>;

export const dataOf = <T>(answer: ApiResponse<T>): T => answer.data;

/** A method for each name, of the types of `C`: an endpoint without a method of an entry is an error of the compiler. */
export const methodsBy = <C extends Readonly<Record<MethodName, unknown>>>(method: (name: MethodName) => unknown) =>
  Object.fromEntries(methodNames.map((name) => [name, method(name)])) as unknown as Pick<C, MethodName>;

/** Any of those methods: what it is about, and options. */
export type AnyMethod<O> = (subject: never, options: O | undefined) => Call<ApiResponse<unknown>>;
