// Decides: how the parameters of the calls are named for a caller.
import type { RequestOf } from "./Calls.ts";

/** Which engines, in which order, from where to where. */
export interface ListParams {
  /** Field to sort by. Only `createdAt` is documented. */
  readonly orderBy?: string;
  /** Engines on a page. The server decides when absent. */
  readonly limit?: number;
  /** Engines before the first one on the page. */
  readonly offset?: number;
  /** The page by its published names; `limit` and `offset` are short for these and win over them. */
  readonly pagination?: { readonly limit?: number; readonly offset?: number };
  /** Only engines that every user may see. */
  readonly isPublic?: boolean;
}

/** Documented query parameters of `get` and `status`. A client has no reason to send them; the server decides what they do. */
export interface MessageParams {
  readonly engineId?: string;
  readonly engineData?: Uint8Array;
  readonly engineLink?: string;
  readonly engineStatus?: string;
}

/** Largest `limit` and `offset`: they are uint32. */
export const maxUint32 = 4_294_967_295;

/** The request message of `list`. Throws RangeError for a limit or offset that the wire cannot carry. */
export const listRequest = (params: ListParams = {}): RequestOf<"list"> => {
  const limit = params.limit ?? params.pagination?.limit ?? 0;
  const offset = params.offset ?? params.pagination?.offset ?? 0;
  for (const [name, value] of Object.entries({ limit, offset })) {
    if (!Number.isInteger(value) || value < 0 || value > maxUint32) {
      throw new RangeError(`${name} must be a whole number from 0 to ${maxUint32}, not ${value}`);
    }
  }
  return { orderBy: params.orderBy ?? "", isPublic: params.isPublic ?? false, pagination: { limit, offset } };
};

/** The query parameters of `get` and `status` that were asked for; undefined for none. */
export const messageRequest = (params: MessageParams | undefined): RequestOf<"get"> | undefined => {
  if (params === undefined) return undefined;
  const { engineId = "", engineData = new Uint8Array(), engineLink = "", engineStatus = "" } = params;
  return { engineId, engineData, engineLink, engineStatus };
};
