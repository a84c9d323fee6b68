// Allowed hosts, against DNS rebinding.
import { isIPv6 } from "node:net";
import { isLoopback } from "@bytenite-engines/core/wire";
import { ApiError } from "../api/ApiError.ts";
import { earlyErrorAnswer, type Answer, type RequestHead } from "../api/Answer.ts";
import type { Endpoint } from "./AdminEndpoints.ts";
import type { Handler } from "./HttpServer.ts";

/** The refusal of a request with another `Host`; undefined for an allowed one. */
export type HostCheck = (head: RequestHead) => Answer | undefined;

/** Wildcard for every name. */
const everyName = "*";

/** Whether `Host` names loopback or one of these hosts, with any port. Browsers always send it: without, it is not a page. */
const isOurs = (host: string | null, allowed: ReadonlySet<string>): boolean => {
  if (namesLoopback(host) || allowed.has(everyName)) return true;
  return allowed.has(hostNameIn(host ?? ""));
};

/** Whether `Host`, if there is one, names loopback. */
export const namesLoopback = (host: string | null): boolean => host === null || isLoopback(hostNameIn(host));

/** The name or address in `name:port`, without the brackets of IPv6. Undefined for anything else. */
const hostNameIn = (host: string): string => {
  if (isIPv6(host)) return host;
  const [, address, name = ""] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::[0-9]*)?$/.exec(host.toLowerCase()) ?? [];
  return address ?? name;
};

/** Throws TypeError for an allowed host that no `Host` can name. */
export const assertHosts = (allowed: ReadonlyArray<string>): void => {
  for (const host of allowed) {
    const name = hostNameIn(host);
    if (host === everyName || isIPv6(name) || /^[a-z0-9_.-]+$/.test(name)) continue;
    throw new TypeError(
      `${JSON.stringify(host.slice(0, 100))} is not a host: give a name or address without https:// and path, or * for all`,
    );
  }
};

/** RFC 9110, 15.5.20. */
const misdirected = new ApiError("FAILED_PRECONDITION", "Host not allowed: add it with --allowed-hosts", {
  status: 421,
});

/** A check that allows loopback and the named hosts. Throws TypeError for a bad one. */
export const makeHostCheck = (
  allowed: ReadonlyArray<string>,
  serializer: { readonly jsonOnly: boolean },
): HostCheck => {
  assertHosts(allowed);
  const names = new Set(allowed.map(hostNameIn));
  let last: string | null = null;
  return (head) => {
    const host = head.header("host");
    // Almost all requests have the same `Host`.
    if (host === last || isOurs(host, names)) {
      last = host;
      return undefined;
    }
    return earlyErrorAnswer(misdirected, head, serializer);
  };
};

/** Endpoints behind a check. */
export const checkedEndpoints = (check: HostCheck, endpoints: Iterable<readonly [string, Endpoint]>) =>
  new Map([...endpoints].map(([path, endpoint]) => [path, async (head: RequestHead) => check(head) ?? endpoint(head)]));

/** A handler behind a check. */
export const checkedHandler =
  (check: HostCheck, handle: Handler): Handler =>
  (exchange) => {
    const refusal = check(exchange.head);
    return refusal === undefined ? handle(exchange) : Promise.resolve(refusal);
  };
