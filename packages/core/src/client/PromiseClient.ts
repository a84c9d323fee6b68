// Type of a client whose calls are promises.
import type { ApiResponse, Engine, EngineArchive, EngineListResponse } from "../ApiResponse.ts";
import type { CallOptions } from "../ClientOptions.ts";
import type { EngineRpcs, ListParams, MessageParams } from "../Parameters.ts";

/** Options of one call, with the signal that ends it. */
export interface PromiseCallOptions extends CallOptions {
  /** Ends the call at once: in the request, in the body, in the wait between two requests. */
  readonly signal?: AbortSignal | undefined;
}

type Rpcs = EngineRpcs<PromiseCallOptions>;

export type Calls = { readonly [N in keyof Rpcs]: (...args: Parameters<Rpcs[N]>) => Promise<ReturnType<Rpcs[N]>> };

export type CallsWithResponse = {
  readonly [N in keyof Rpcs]: (...args: Parameters<Rpcs[N]>) => Promise<ApiResponse<ReturnType<Rpcs[N]>>>;
};

/** The calls of the API. Every one rejects with EngineError; with the signal's reason once that is aborted. */
export interface PromiseEngineClient extends Calls {
  /**
   * All engines from `offset` on. The first page has the server's size, later ones 1,000 engines, or fewer where the
   * server refuses that; with `limit`, all have that many. The next page is read ahead. `deadlineMs` bounds each page, not
   * the whole list: for that, pass a `signal`, e.g. `AbortSignal.timeout(60_000)`.
   */
  listAll(params?: ListParams, options?: PromiseCallOptions): AsyncIterable<Engine>;
  /** The pages of `listAll`. */
  listPages(params?: ListParams, options?: PromiseCallOptions): AsyncIterable<EngineListResponse>;
  /**
   * The archive of an engine as a stream: at most `limits.maxArchiveBytes`, its hash checked at the end. Over https, or from this machine;
   * the link gets no token and no header of the client's. Resolves when the first bytes can be read; from then on there is no
   * deadline, but bytes must come within each `attemptTimeoutMs`.
   */
  archive(tag: string, options?: PromiseCallOptions & MessageParams): Promise<EngineArchive>;
  /** The same calls, with status, headers, media type, attempts and timings in addition to the data. */
  readonly withResponse: CallsWithResponse;
}
