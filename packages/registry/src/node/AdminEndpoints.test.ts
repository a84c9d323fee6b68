import { expect, test } from "vitest";
import { bodyTooLong } from "../api/ApiError.ts";
import type { RequestHead } from "../api/Answer.ts";
import { makeWeb } from "../api/Web.ts";
import { makeFaults } from "../faults/Faults.ts";
import { openSqlite } from "./SqliteFile.ts";
import { makeAdmin, makeHealth, serving, type Endpoint } from "./AdminEndpoints.ts";
import { nodeWeb } from "./Compression.ts";
import type { Exchange } from "./Connections.ts";

const headOf = (method: string, body = "", type = "application/json", target = "/"): RequestHead => ({
  method,
  target,
  header: (name) => (name === "content-type" ? type : null),
  body: (maxBytes) =>
    body.length > maxBytes ? Promise.reject(bodyTooLong(maxBytes)) : Promise.resolve(Buffer.from(body)),
  chunks: async function* () {},
});

/** Status and text of an answer. */
const said = async (endpoint: Endpoint | undefined, head: RequestHead): Promise<readonly [unknown, unknown]> => {
  const answer = await endpoint?.(head);
  return [answer?.status, answer?.body.toString()];
};

test.for<[string, object, number, string]>([
  ["/healthz", {}, 200, "ok\n"],
  ["/healthz", { problem: "disk I/O error" }, 200, "degraded: the database fails to read: disk I/O error\n"],
  ["/healthz", { draining: true, inPlace: false, open: false }, 200, "ok\n"],
  ["/readyz", {}, 200, "ready\n"],
  ["/readyz", { problem: "disk I/O error" }, 200, "degraded: the database fails to read: disk I/O error\n"],
  ["/readyz", { draining: true }, 503, "draining\n"],
  ["/readyz", { inPlace: false }, 503, "the database file was moved, replaced or changed: start again\n"],
  ["/readyz", { open: false }, 503, "the database cannot be read\n"],
])("%s of a registry that is %j is %i: %j", async ([path, state, status, text]) => {
  const { draining = false, inPlace = true, open = true, problem } = state as Readonly<Record<string, never>>;
  const file = openSqlite(":memory:");
  file.database.exec("CREATE TABLE migrations (version INTEGER)");
  if (!open) file.close();
  const health = makeHealth({
    sql: file.port,
    draining: () => draining,
    inPlace: () => inPlace,
    problem: async () => problem,
  });
  for (const method of ["GET", "HEAD"]) expect(await said(health.get(path), headOf(method))).toEqual([status, text]);
  const [refused] = await said(health.get(path), headOf("POST"));
  expect(refused).toBe(405);
});

const rules = (length: number): string => `[${" ".repeat(length - 2)}]`;
const wrongNumbers = '[{"fault":{"fieldNumbers":{"bytenite.engine.Engine":{"x":5}}}}]';

test.for<[RequestHead, number, string]>([
  [headOf("GET"), 200, '[{"rule":{"fault":{}},"seen":0,"struck":0}]'],
  [headOf("PUT", "[]"), 200, "[]"],
  [headOf("PUT", "[]", "application/json; charset=utf-8"), 200, "[]"],
  [headOf("PUT", "[]", "text/plain"), 415, "rules are sent as application/json"],
  [headOf("PUT", rules(1_048_576)), 200, "[]"],
  [headOf("PUT", rules(1_048_577)), 413, "1048576 bytes"],
  [headOf("PUT", "{}"), 400, "fault rules: "],
  [headOf("POST", wrongNumbers), 400, "x"],
  [headOf("OPTIONS"), 204, ""],
  [headOf("PATCH"), 405, "method not allowed"],
])("a request to /faults, %j, is answered %i, %j", async ([head, status, text]) => {
  const endpoints = makeAdmin({ metrics: async () => "", faults: makeFaults([{ fault: {} }]) });
  expect(await said(endpoints.get("/faults"), head)).toEqual([status, expect.stringContaining(text)]);
});

const next = async () => "unanswered" as const;

test("without faults there are no rules, metrics are read, and other paths go on to the next handler", async () => {
  const admin = makeAdmin({ metrics: async () => "registry_x 1\n", faults: undefined });
  expect(await said(admin.get("/faults"), headOf("GET"))).toEqual([404, expect.stringContaining("faults are off")]);
  expect(await said(admin.get("/metrics"), headOf("GET"))).toEqual([200, "registry_x 1\n"]);
  expect((await said(admin.get("/metrics"), headOf("POST")))[0]).toBe(405);
  const web = makeWeb(nodeWeb);
  const exchange = (target: string) => ({ head: headOf("GET", "", "", target) }) as Exchange;
  expect(await serving(admin, web)(exchange("/metrics?x"))).toMatchObject({ status: 200, body: "registry_x 1\n" });
  expect(await serving(admin, web)(exchange("/metric"))).toMatchObject({ status: 404 });
  expect(await serving(admin, web, next)(exchange("/metric"))).toBe("unanswered");
});
