// Recorded requests, for tests.
import { pathIn } from "../api/App.ts";
import type { Handler } from "./HttpServer.ts";

/** A received request, with all headers, the token too: for tests. */
export interface RecordedRequest {
  readonly method: string;
  /** Path and query, undecoded. */
  readonly target: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Status of the answer; undefined while there is none, and where the socket was used otherwise. */
  readonly status: number | undefined;
  /** Outcome: `aborted` means that the client disconnected before it had the whole answer. */
  readonly outcome: "pending" | "answered" | "faulted" | "aborted";
}

/** A handler that adds every request to `requests` before it is handled. */
export const recording =
  (handle: Handler, requests: Array<RecordedRequest>): Handler =>
  async (exchange) => {
    const { request, response } = exchange;
    const target = request.url ?? "";
    const record = {
      method: request.method ?? "",
      target,
      path: pathIn(target),
      query: new URLSearchParams(target.slice(pathIn(target).length)),
      headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
      at: Date.now(),
      status: undefined as number | undefined,
      outcome: "pending" as RecordedRequest["outcome"],
    };
    requests.push(record);
    response.once("finish", () => (record.outcome = "answered"));
    response.once("close", () => {
      if (record.outcome === "pending") record.outcome = "aborted";
    });
    const answer = await handle(exchange);
    if (answer === "faulted") record.outcome = "faulted";
    else if (answer !== "unanswered") record.status = answer.status;
    return answer;
  };
