import { expect, test } from "vitest";
import { entryWith } from "../test/entry.ts";
import { parseConfig } from "./Config.ts";
import { decide, look, usableNow } from "./Decision.ts";
import { createIsolate } from "./Isolate.ts";
import { parseRequest } from "./Request.ts";
import { nobody } from "./Store.ts";

const neverAsked = () => Promise.reject(new Error("not to be asked"));

const start = (variables: Readonly<Record<string, string>> = {}) => {
  const clock = { ms: 1_000 };
  const config = parseConfig({ UPSTREAM_URL: "https://upstream.example/v1/dev", ...variables });
  const isolate = createIsolate({ config, fetch: neverAsked, store: undefined, now: () => clock.ms });
  const lookUp = (fields: Record<string, string>, method = "GET", path = "/engines/zipper") => {
    const request = parseRequest(method, new Headers(fields), `/v1/dev${path}`, config);
    if ("status" in request) throw new Error(request.message);
    return look(request, isolate, { waitUntil: () => {}, isGone: () => false });
  };
  return { clock, isolate, lookUp };
};

/** A token that expires ten seconds after the epoch. */
const expiring = `Bearer e30.${btoa('{"exp":10}').replaceAll("=", "")}.c2ln`;

test("a token identifies its user until it expires, before and after a wait", async () => {
  const { clock, isolate, lookUp } = start();
  const entry = entryWith();
  clock.ms = 9_999;
  const { identity, owner, user } = await lookUp({ authorization: expiring });
  expect([identity?.expiresAtMs, owner === identity?.digest, user === owner]).toEqual([10_000, true, true]);
  expect([usableNow(entry, identity, isolate), usableNow(entry, undefined, isolate)]).toEqual([entry, entry]);
  clock.ms = 10_000;
  expect(usableNow(entry, identity, isolate)).toBeUndefined();
  const later = await lookUp({ authorization: expiring, "cf-connecting-ip": "192.0.2.7" });
  expect([later.identity, later.owner, later.user]).toEqual([undefined, undefined, "without/192.0.2.7"]);
});

test.each([
  ["alice", "GET", "/engines/zipper", "its user's"],
  ["alice", "GET", "/other", "everybody's"],
  ["", "HEAD", "/other", "everybody's"],
  ["", "GET", "/engines/zipper", "nobody's"],
  ["alice", "POST", "/other", "nobody's"],
])("where other paths are shared, what %j gets by %s of %s is %s", async (authorization, method, path, whose) => {
  const { lookUp } = start({ CACHE_ANONYMOUS: "on" });
  const { owner, identity } = await lookUp(authorization === "" ? {} : { authorization }, method, path);
  expect(owner === undefined ? "nobody's" : owner === nobody ? "everybody's" : "its user's").toBe(whose);
  expect(identity !== undefined).toBe(authorization !== "" && whose !== "everybody's");
});

test("a token of this hop alone identifies nobody", async () => {
  const { lookUp } = start();
  expect((await lookUp({ authorization: "alice", connection: "authorization" })).owner).toBeUndefined();
  expect((await lookUp({ authorization: "alice", connection: "x-hop" })).owner).toBeDefined();
});

test("what is asked of the upstream may be stale where something stale is there, and is validated where it has a tag", async () => {
  const { clock, isolate, lookUp } = start();
  const { owner = "", request, identity, context } = await lookUp({ authorization: "alice" });
  const planned = async (fields: Record<string, string> = {}) => {
    const { decision, applicant, validated, selected } = decide(await lookUp({ authorization: "alice", ...fields }));
    return [decision.action, applicant.orStale, validated !== undefined, selected !== undefined];
  };
  expect(await planned()).toEqual(["forward", false, false, false]);
  const url = "https://upstream.example/v1/dev/engines/zipper";
  const freshness = { ...entryWith().freshness, staleIfErrorMs: 5_000, staleWhileRevalidateMs: 2_000 };
  const asked = isolate.store.ask();
  for (const headers of [[["etag", '"e"']], []] as const) {
    clock.ms = 1_000;
    isolate.store.put(identity, request, entryWith({ url, owner, headers, freshness }), asked, context);
    expect(await planned()).toEqual(["fresh", true, true, true]);
    clock.ms = 62_999;
    expect(await planned()).toEqual(["stale", true, true, true]);
    clock.ms = 63_001;
    expect(await planned()).toEqual(
      headers.length === 0 ? ["forward", true, false, true] : ["validate", true, true, true],
    );
    clock.ms = 67_000;
    expect((await planned())[1]).toBe(false);
  }
  clock.ms = 1_000;
  const brief = { ...freshness, staleIfErrorMs: 0 };
  isolate.store.put(identity, request, entryWith({ url, owner, freshness: brief }), asked, context);
  clock.ms = 62_000;
  expect((await planned()).slice(0, 2)).toEqual(["stale", true]);
});
