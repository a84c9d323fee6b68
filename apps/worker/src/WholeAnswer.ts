// Decides: what the upstream is asked for a question, and which of its answers can be used: whole ones, and a 304 that confirms
// what is stored.
import { mediaTypeOf, type Format } from "@bytenite-engines/core/wire";
import {
  confirms,
  endToEnd,
  formatHttpDate,
  validatingFields,
  type RequestDirectives,
} from "@bytenite-engines/http-cache";
import { receivedHeaders, type Entry } from "./Entry.ts";
import type { Identity } from "./Identity.ts";
import type { Route } from "./Route.ts";
import { UpstreamFailure, type AskUpstream, type UpstreamAnswer } from "./Upstream.ts";

/** What is asked. */
export interface Question {
  readonly route: Route;
  readonly format: Format;
  /** Fields that go along: Authorization, trace context, request id. */
  readonly headers: Headers;
  readonly control: RequestDirectives;
  /** Undefined: the request has no living token; its answer is never stored. */
  readonly identity: Identity | undefined;
  /** Address of the client; see `clientOf`. */
  readonly client: string;
  /** The stored object, when it is to be validated. */
  readonly stored: Entry | undefined;
  /** Whether something stale will be served if no answer comes. */
  readonly orStale: boolean;
}

/** Statuses of answers that are only part of one; nobody asked for a part. */
const partial: ReadonlySet<number> = new Set([206, 304]);

/** Statuses that an answer of ours can have; upstreams have been seen to invent others. */
const isStatus = (status: number): boolean => status >= 200 && status <= 599;

/** Asks; what is stored is to be confirmed. Rejects with UpstreamFailure. */
export const wholeAnswer = async (question: Question, ask: AskUpstream): Promise<UpstreamAnswer> => {
  const stored = question.stored === undefined ? undefined : receivedHeaders(question.stored);
  const conditions = stored === undefined ? [] : validatingFields(stored);
  const answer = await askWith(question, conditions, ask);
  if (answer.status !== 304 || stored === undefined || conditions.length === 0) return usable(answer);
  return confirms(answer.headers, stored) ? answer : usable(await askWith(question, [], ask));
};

/**
 * What caches on the way to the upstream are asked for: anything that is fresh. Where these two fields are missing or empty the
 * runtime sends `no-cache` in them, because its own cache is switched off. "0" says nothing in Pragma, to nginx neither.
 */
const anyFresh = "max-stale=0";
const noPragma = "0";

const askWith = async (
  { headers, format, route, control, orStale, identity, client }: Question,
  conditions: ReadonlyArray<readonly [string, string]>,
  ask: AskUpstream,
): Promise<UpstreamAnswer> => {
  const sent = new Headers(headers);
  sent.set("accept", mediaTypeOf(format));
  sent.set("pragma", noPragma);
  sent.set("cache-control", control.noStore ? "no-store" : control.noCache ? "no-cache" : anyFresh);
  for (const [name, value] of conditions) sent.set(name, value);
  const { endpoint, target: resource } = route;
  const answer = await ask({ endpoint, resource, headers: sent, orStale, owner: identity?.digest, client });
  const received = endToEnd(answer.headers);
  // Who passes an answer on tells when it came, if nobody did (RFC 9110, 6.6.1).
  if (!received.has("date")) received.set("date", formatHttpDate(answer.responseTimeMs));
  return { ...answer, headers: received };
};

const usable = (answer: UpstreamAnswer): UpstreamAnswer => {
  if (partial.has(answer.status) || !isStatus(answer.status)) throw new UpstreamFailure("unusable", answer.attempts);
  return answer;
};
