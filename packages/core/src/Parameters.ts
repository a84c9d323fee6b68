// Parameters of the calls, and the request messages made of them.
import type { EngineListRequest } from "@bytenite-engines/proto";
import type { Engine, EngineListResponse, EngineMessage, EngineStatus, RequestOf } from "./ApiResponse.ts";
import { assertOptionNames, assertOptionTypes, booleanRule, type OptionRule } from "./OptionNames.ts";

/** Parameters of a list. */
export interface ListParams {
  /** Field to sort by. Only `createdAt` is documented. */
  readonly orderBy?: string | undefined;
  /** Engines on a page. The server decides when absent. */
  readonly limit?: number | undefined;
  /** Engines to skip. */
  readonly offset?: number | undefined;
  /** The same by the published names; `limit` and `offset` take precedence. */
  readonly pagination?: { readonly limit?: number | undefined; readonly offset?: number | undefined } | undefined;
  /** Only public engines. */
  readonly isPublic?: boolean | undefined;
}

/** Documented query parameters of `get` and `status`, without known effect. */
export interface MessageParams {
  readonly engineId?: string | undefined;
  readonly engineData?: Uint8Array | undefined;
  readonly engineLink?: string | undefined;
  readonly engineStatus?: EngineStatus | undefined;
}

/** Condition of a change. */
export interface WriteCondition {
  /**
   * The revision that the engine must have: sent as `If-Match: "revision-7"`. Anything else is a `Conflict`, and nothing is changed. 0:
   * there must be no such engine (`If-None-Match: *`, uploads only). A server that does not know these headers ignores them.
   */
  readonly ifRevision?: number | undefined;
}

/** Options of an upload. */
export interface UploadParams extends WriteCondition {
  /**
   * The tag in the manifest, `name@major.minor`. With it, an upload without a response is looked up before it is sent again;
   * without it, it is not sent again.
   */
  readonly tag?: string | undefined;
  /** Activates the engine. */
  readonly activate?: boolean | undefined;
  /** Id of the engine to overwrite; the server refuses another one. */
  readonly engineId?: string | undefined;
}

/** The calls with one answer, by what they take and answer. `O`: the options of every call of an entry. */
export interface EngineRpcs<O> {
  /** One page of engines. */
  list(params?: ListParams, options?: O): EngineListResponse;
  /** One engine: `name`, `name@major` or `name@major.minor`. */
  get(tag: string, options?: O & MessageParams): Engine;
  /** The status of one engine. */
  status(tag: string, options?: O & MessageParams): EngineMessage;
  /**
   * Uploads the archive of an engine (a tar file, plain or gzip, with its manifest). A name and version that exist are overwritten.
   * After a failure without a response, the engine under `tag` is read and compared by hash and revision before a retry.
   */
  upload(archive: Uint8Array, options?: O & UploadParams): Engine;
  /** Activates an engine. Idempotent. */
  activate(tag: string, options?: O & MessageParams & WriteCondition): EngineMessage;
  /** Deactivates an engine. Idempotent. */
  deactivate(tag: string, options?: O & MessageParams & WriteCondition): EngineMessage;
  /** A link to the archive of an engine, in `engineLink`: valid for minutes, without further credentials. */
  download(tag: string, options?: O & MessageParams & WriteCondition): EngineMessage;
  /**
   * Deletes one version (`name@major.minor`), with its archive. An extension of our registry: other servers may answer `Unimplemented`.
   * Where an earlier request of the call may have done it, `NotFound` is a success.
   */
  delete(tag: string, options?: O & WriteCondition): EngineMessage;
}

/** Largest `limit` and `offset`: they are uint32. */
export const maxUint32 = 4_294_967_295;

/** All fields of the request of `list`; a new one is a compiler error here. */
type ListRequest = Required<Omit<EngineListRequest, "$typeName" | "$unknown" | "pagination">> &
  Pick<RequestOf<"list">, "pagination">;

/** The names in ListParams; a missing one is a compiler error here. */
const listNames = Object.keys({
  orderBy: null,
  limit: null,
  offset: null,
  pagination: null,
  isPublic: null,
} satisfies Record<keyof ListParams, null>);

/** The request message of `list`. Throws TypeError for what is wrong with the parameters, as all functions here. */
export const listRequest = (params: ListParams = {}): ListRequest => {
  assertOptionNames(params, listNames, "", "parameter");
  assertOptionNames(params.pagination, ["limit", "offset"], "pagination", "parameter");
  const { orderBy = "", isPublic = false, pagination } = params;
  const limit = params.limit ?? pagination?.limit ?? 0;
  const offset = params.offset ?? pagination?.offset ?? 0;
  assertOptionTypes({ limit, offset, orderBy, isPublic }, listRules);
  return { orderBy, isPublic, pagination: { limit, offset } };
};

const noBytes = /* @__PURE__ */ new Uint8Array();

/** The query parameters of `get` and `status`. */
export const messageRequest = (params: MessageParams): RequestOf<"get"> => {
  const { engineId = "", engineData = noBytes, engineLink = "", engineStatus = "" } = params;
  assertOptionTypes(params, messageRules);
  return { engineId, engineData, engineLink, engineStatus };
};

/** Checks the types of an upload's values. */
export const assertUpload = (archive: unknown, params: UploadParams): void => {
  // By its tag: an array of bytes may be of another realm.
  if (Object.prototype.toString.call(archive) !== "[object Uint8Array]")
    throw new TypeError("the archive must be a Uint8Array");
  assertOptionTypes(params, uploadRules);
};

const textRule: OptionRule = ["text", (value) => typeof value === "string"];
const uint32Rule: OptionRule = [
  `a whole number from 0 to ${maxUint32}`,
  (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= maxUint32,
];

const messageRules: Readonly<Record<keyof MessageParams, OptionRule>> = {
  engineId: textRule,
  engineLink: textRule,
  engineStatus: textRule,
  engineData: ["a Uint8Array", (value) => value instanceof Uint8Array],
};
const listRules = { limit: uint32Rule, offset: uint32Rule, orderBy: textRule, isPublic: booleanRule };
const uploadRules = { tag: textRule, engineId: textRule, activate: booleanRule };
