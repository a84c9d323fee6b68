// Parameters of the calls, and the request messages made of them.
import type { EngineListRequest } from "@bytenite-engines/proto";
import type { EngineStatus, RequestOf } from "./ApiResponse.ts";
import { assertOptionNames } from "./OptionNames.ts";

/** Parameters of a list. */
export interface ListParams {
  /** Field to sort by. Only `createdAt` is documented. */
  readonly orderBy?: string | undefined;
  /** Engines on a page. The server decides when absent. */
  readonly limit?: number | undefined;
  /** Engines to skip. */
  readonly offset?: number | undefined;
  /** The same by the published names; `limit` and `offset` take precedence. */
  readonly pagination?: { readonly limit?: number | undefined; readonly offset?: number } | undefined;
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

/** Largest `limit` and `offset`: they are uint32. */
export const maxUint32 = 4_294_967_295;

/** All fields of the request of `list`; a new one is a compiler error here. */
type ListRequest = Required<Omit<EngineListRequest, "$typeName" | "$unknown" | "pagination">> &
  Pick<RequestOf<"list">, "pagination">;

/** The request message of `list`, or the problem of the parameters. */
export const listRequest = (params: ListParams = {}): ListRequest | InvalidParameter => {
  try {
    assertOptionNames(params, ["orderBy", "limit", "offset", "pagination", "isPublic"], "", "parameter");
    assertOptionNames(params.pagination, ["limit", "offset"], "pagination", "parameter");
  } catch (cause) {
    return new InvalidParameter(cause instanceof Error ? cause.message : String(cause));
  }
  const { orderBy = "", isPublic = false, pagination } = params;
  const limit = params.limit ?? pagination?.limit ?? 0;
  const offset = params.offset ?? pagination?.offset ?? 0;
  for (const [name, value] of Object.entries({ limit, offset })) {
    if (!Number.isInteger(value) || value < 0 || value > maxUint32)
      return wrongValue(name, `a whole number from 0 to ${maxUint32}`, value);
  }
  if (typeof orderBy !== "string") return wrongValue("orderBy", "text", orderBy);
  if (typeof isPublic !== "boolean") return wrongValue("isPublic", "true or false", isPublic);
  return { orderBy, isPublic, pagination: { limit, offset } };
};

/** The query parameters of `get` and `status`, undefined for none; or their problem. */
export const messageRequest = (params: MessageParams | undefined): RequestOf<"get"> | InvalidParameter | undefined => {
  if (params === undefined) return undefined;
  const { engineId = "", engineData = new Uint8Array(), engineLink = "", engineStatus = "" } = params;
  for (const [name, value] of Object.entries({ engineId, engineLink, engineStatus }))
    if (typeof value !== "string") return wrongValue(name, "text", value);
  if (!(engineData instanceof Uint8Array)) return wrongValue("engineData", "a Uint8Array", engineData);
  return { engineId, engineData, engineLink, engineStatus };
};

/** The problem of an upload's values, by type. */
export const uploadProblem = (
  archive: unknown,
  { tag = "", engineId = "", activate = false }: UploadParams,
): InvalidParameter | undefined => {
  // By its tag: an array of bytes may be of another realm.
  if (Object.prototype.toString.call(archive) !== "[object Uint8Array]")
    return new InvalidParameter("the archive must be a Uint8Array");
  for (const [name, value] of Object.entries({ tag, engineId }))
    if (typeof value !== "string") return wrongValue(name, "text", value);
  return typeof activate === "boolean" ? undefined : wrongValue("activate", "true or false", activate);
};

/** An invalid parameter. */
export class InvalidParameter {
  readonly problem: string;

  constructor(problem: string) {
    this.problem = problem;
  }
}

const wrongValue = (name: string, expected: string, value: unknown): InvalidParameter => {
  const shown = typeof value === "number" ? String(value) : value === null ? "null" : `of the type ${typeof value}`;
  return new InvalidParameter(`${name} must be ${expected}, not ${shown}`);
};
