import { expect, test } from "vitest";
import type { CacheOptions } from "./CacheOptions.ts";
import { requestDirectives } from "./RequestDirectives.ts";
import { responseDirectives } from "./ResponseDirectives.ts";
import { storingRefusal } from "./Storing.ts";

const policies: Record<string, CacheOptions> = {
  shared: { shared: true, targetedFields: ["cdn-cache-control"] },
  private: { shared: false, targetedFields: [] },
  keyed: { shared: true, keyedByUser: true },
};

interface Case {
  readonly method?: string;
  readonly request?: string;
  readonly authorized?: boolean;
  readonly status?: number;
  readonly headers?: Record<string, string>;
}

const refusal = (kind: string, { method = "GET", request, authorized = false, status = 200, headers = {} }: Case) => {
  const policy = policies[kind] ?? { shared: true, targetedFields: [] };
  const fields = new Headers(headers);
  const control = requestDirectives(request ?? null, null);
  return storingRefusal({ method, control, authorized }, status, fields, responseDirectives(fields, policy), policy);
};

const cc = (value: string): Record<string, string> => ({ "cache-control": value });

test.each<[string, Case, string | undefined]>([
  ["shared", {}, undefined],
  ["shared", { headers: cc("max-age=60") }, undefined],
  ["shared", { method: "POST", headers: cc("max-age=60") }, "method"],
  ["shared", { method: "HEAD", headers: cc("max-age=60") }, "method"],
  ["shared", { status: 206, headers: cc("max-age=60") }, "status"],
  ["shared", { status: 304, headers: cc("max-age=60") }, "status"],
  ["shared", { status: 199, headers: cc("max-age=60") }, "status"],
  // The response to a precondition or a range of one request is not what other requests would get (RFC 9110, 15.5.13
  // and 15.5.17).
  ["shared", { status: 412, headers: cc("max-age=60") }, "status"],
  ["shared", { status: 416, headers: cc("max-age=60") }, "status"],
  ["shared", { request: "no-store", headers: cc("max-age=60") }, "request-no-store"],
  ["shared", { headers: cc("max-age=60, no-store") }, "no-store"],
  ["private", { headers: cc("max-age=60, no-store") }, "no-store"],
  // RFC 9111, 5.2.2.3
  ["shared", { headers: cc("max-age=60, no-store, must-understand") }, undefined],
  ["shared", { status: 599, headers: cc("max-age=60, no-store, must-understand") }, "no-store"],
  ["shared", { status: 599, headers: cc("max-age=60, must-understand") }, "no-store"],
  ["shared", { headers: cc("max-age=60, private") }, "private"],
  ["shared", { headers: cc('max-age=60, private="x", private') }, "private"],
  ["shared", { headers: cc("no-store;max-age=0") }, "no-store"],
  ["shared", { headers: cc("no-store =1") }, "no-store"],
  ["shared", { headers: cc("max-age=60, No-Store") }, "no-store"],
  ["private", { headers: cc("max-age=60, private") }, undefined],
  ["shared", { headers: cc('max-age=60, private="x"') }, undefined],
  ["keyed", { authorized: true, headers: cc("max-age=60, private") }, undefined],
  ["keyed", { status: 403, headers: cc("private") }, undefined],
  ["keyed", { status: 403, headers: cc("s-maxage=1") }, undefined],
  ["keyed", { headers: cc("no-store") }, "no-store"],
  // RFC 9111, 3.5
  ["shared", { authorized: true, headers: cc("max-age=60") }, "authorization"],
  ["shared", { authorized: true, headers: cc("max-age=60, public") }, undefined],
  ["shared", { authorized: true, headers: cc("max-age=60, must-revalidate") }, undefined],
  ["shared", { authorized: true, headers: cc("s-maxage=60") }, undefined],
  ["shared", { authorized: true, headers: { expires: "Tue, 24 Nov 2099 00:00:00 GMT" } }, "authorization"],
  ["private", { authorized: true, headers: cc("max-age=60") }, undefined],
  ["shared", { authorized: true, headers: cc("s-maxage = 60") }, "authorization"],
  ["shared", { headers: { ...cc("max-age=60"), vary: "Accept, *" } }, "vary"],
  // The last condition of section 3: explicit freshness, public, or a status that allows heuristics.
  ["shared", { status: 201 }, "not-cacheable"],
  ["shared", { status: 201, headers: cc("max-age=60") }, undefined],
  ["shared", { status: 403, headers: { expires: "Tue, 24 Nov 2099 00:00:00 GMT" } }, undefined],
  ["shared", { status: 403, headers: cc("public") }, undefined],
  ["shared", { status: 403, headers: cc("s-maxage=1") }, undefined],
  ["private", { status: 403, headers: cc("s-maxage=1") }, "not-cacheable"],
  ["private", { status: 403, headers: cc("private") }, undefined],
  ["shared", { status: 404 }, undefined],
  ["shared", { status: 503 }, "not-cacheable"],
  ["shared", { status: 403, headers: { "cdn-cache-control": "foo", expires: "0" } }, "not-cacheable"],
  // RFC 9213: only the targeted field counts.
  ["shared", { headers: { ...cc("no-store"), "cdn-cache-control": "max-age=60" } }, undefined],
  ["shared", { headers: { ...cc("max-age=60"), "cdn-cache-control": "no-store" } }, "no-store"],
  ["shared", { headers: { ...cc("max-age=60"), "cdn-cache-control": "private" } }, "private"],
])("a %s cache judges %j: %s", (kind, given, expected) => {
  expect(refusal(kind, given)).toBe(expected);
});

test("must-understand refuses all statuses but those whose caching is known (RFC 9111, 5.2.2.3)", () => {
  const understood = Array.from({ length: 500 }, (_, index) => 100 + index).filter(
    (status) => refusal("shared", { status, headers: cc("max-age=60, no-store, must-understand") }) === undefined,
  );
  expect(understood).toEqual([
    200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 410, 414, 500, 501, 502, 503, 504,
  ]);
});
