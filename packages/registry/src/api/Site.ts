// Decides: which part of the registry a path belongs to; and how all of it is one Web-standard fetch handler.
import { docs } from "./Docs.ts";
import { makeRoutes, type Answer, type RequestHead, type RoutesOptions } from "./Routes.ts";
import { Refusal } from "./Refusal.ts";
import { makeTokenEndpoint, tokenPath } from "./TokenEndpoint.ts";
import type { Wire } from "./Wire.ts";

/** Everything that is served to users: the API, the exchange of API keys, the documents. Never rejects. */
export type Site = (head: RequestHead, wire?: Wire) => Promise<Answer>;

/** Builds the site. */
export const makeSite = (options: RoutesOptions): Site => {
  const routes = makeRoutes(options);
  const tokenEndpoint = makeTokenEndpoint(options);
  return async (head, wire) => {
    const path = pathIn(head.target);
    if (path === tokenPath) return tokenEndpoint(head);
    return (head.method === "GET" ? docs.get(path)?.() : undefined) ?? routes(head, wire);
  };
};

/** The path of a target, without its query. */
export const pathIn = (target: string): string => {
  const mark = target.indexOf("?");
  return mark === -1 ? target : target.slice(0, mark);
};

/** The site as a fetch handler, for runtimes that have Request and Response. */
export const fetchHandler =
  (site: Site): ((request: Request) => Promise<Response>) =>
  async (request) => {
    const answer = await site({
      method: request.method,
      target: targetOf(request.url),
      header: (name) => request.headers.get(name),
      body: (maxBytes) => bodyOf(request, maxBytes),
    });
    const body = typeof answer.body === "string" ? answer.body : new Uint8Array(answer.body);
    return new Response(request.method === "HEAD" ? null : body, { status: answer.status, headers: answer.headers });
  };

/** Path and query as they came. Parsing the URL would take dot segments out, and with them what is to be refused. */
const targetOf = (url: string): string => /^[a-z]+:\/\/[^/?#]*([^#]*)/i.exec(url)?.[1] || "/";

const bodyOf = async (request: Request, maxBytes: number): Promise<Uint8Array> => {
  const parts: Array<Uint8Array> = [];
  let length = 0;
  for await (const part of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    length += part.length;
    if (length > maxBytes) throw bodyTooLong(maxBytes);
    parts.push(part);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
};

/** The refusal of a body that is too long. */
export const bodyTooLong = (maxBytes: number): Refusal =>
  new Refusal("INVALID_ARGUMENT", `body is longer than ${maxBytes} bytes`, { status: 413 });
