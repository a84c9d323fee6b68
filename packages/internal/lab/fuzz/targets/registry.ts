// Fuzz target: whole requests to the registry over SQLite.
import { decode, endpoints, formatOf, type EndpointName } from "@bytenite-engines/core/wire";
import { StatusSchema } from "@bytenite-engines/proto";
import { addCredential, ensureUser, migrate, openSqlite, publishAll } from "@bytenite-engines/registry";
import { makeApp, makeSerializer } from "@bytenite-engines/registry/api";
import { headerOf, latin1Of, must, Violation, type Target } from "../Target.ts";

const token = "fuzz";
/** 501: the exchange of a key at an app without access tokens. */
const statuses = new Set([200, 204, 304, 400, 401, 403, 404, 405, 406, 412, 413, 415, 429, 501]);
const nowMs = 1_700_000_000_000;

const open = async () => {
  const file = openSqlite(":memory:");
  await migrate(file.port, nowMs);
  const user = ensureUser(file, "alice", nowMs);
  const engines = ["0.1", "0.2", "1.0"].map((version) => ({ name: "zipper", version, status: "active" }));
  await publishAll(file, user, engines, undefined, nowMs);
  await addCredential(file, user, "token", token, nowMs);
  return makeApp({
    sql: file.port,
    box: undefined,
    serializer: makeSerializer(),
    accessTokens: undefined,
    accepts: ["token"],
    now: () => nowMs,
    onFault: (error) => {
      throw new Violation(`a fault of our own: ${error instanceof Error ? error.stack : String(error)}`);
    },
  });
};

let app: ReturnType<typeof open> | undefined;

/** Method and target; Accept; body: a line each. */
export const fuzz: Target = async (data) => {
  const [head = "", accept = "", body = ""] = latin1Of(data).split("\n");
  const [, method = "GET", target = "/"] = /^([A-Z]+ )?(.*)$/.exec(head) ?? [];
  const headers: Readonly<Record<string, string | undefined>> = {
    authorization: token,
    accept: headerOf(accept),
    "content-type": "application/json",
  };
  const answer = await (
    await (app ??= open())
  )({
    method: method.trim(),
    target: target.startsWith("/") ? target : `/v1/dev/engines${target}`,
    header: (name) => headers[name.toLowerCase()] ?? null,
    body: () => Promise.resolve(new TextEncoder().encode(body)),
    chunks: async function* () {
      yield new TextEncoder().encode(body);
    },
  });
  const { status, logFields } = answer;
  must(statuses.has(status), `unexpected status ${status}`);
  const format = formatOf(answer.headers["Content-Type"]);
  if (format === undefined) return;
  const bytes = typeof answer.body === "string" ? new TextEncoder().encode(answer.body) : new Uint8Array(answer.body);
  if (status !== 200) decode(StatusSchema, bytes, format);
  else if (logFields.endpoint !== undefined && logFields.endpoint in endpoints) {
    decode(endpoints[logFields.endpoint as EndpointName].response, bytes, format);
  }
};
