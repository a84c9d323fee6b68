import { expect, test } from "vitest";
import { ensureUser } from "../manage/Accounts.ts";
import { publishAll } from "../manage/Engines.ts";
import { openSqlite } from "../node/SqliteFile.ts";
import { isRead, located, readCall } from "./Call.ts";
import type { ApiError } from "./ApiError.ts";
import { migrate } from "./Migrations.ts";
import { makeSecretBox } from "./SecretBox.ts";
import { makeSerializer } from "./Serializer.ts";

const textOf = (body: string | Uint8Array): string =>
  typeof body === "string" ? body : new TextDecoder().decode(body);

test("the body of a list is kept while the data stays, is made anew after a change, and never holds an opened secret", async () => {
  const file = openSqlite(":memory:");
  const box = await makeSecretBox("k".repeat(32));
  await migrate(file.port, 0, box);
  const alice = ensureUser(file, "alice", 0);
  const list = readCall({ name: "list" }, new URLSearchParams());
  const body = () => list({ sql: file.port, box }, makeSerializer(), alice, "json");
  await publishAll(file, alice, [{ name: "zipper", version: "0.1" }], box, 0);
  // The rows of a statement are remembered from its second read on.
  await body();
  const second = await body();
  expect(textOf(second)).toContain('"zipper"');
  expect(second).toBeInstanceOf(Uint8Array);
  expect(await body()).toBe(second);
  await publishAll(file, alice, [{ name: "passthrough", version: "0.1" }], box, 0);
  expect(textOf(await body())).toContain('"passthrough"');
  const secret = { name: "sealed", version: "0.1", platformConfig: { token: "s3cret" } };
  await publishAll(file, alice, [secret], box, 0);
  await body();
  const opened = await body();
  expect(textOf(opened)).toContain("s3cret");
  // A text, made again: only bytes are kept.
  expect(typeof opened).toBe("string");
  // The length of a list is read on its own where its page is empty.
  const past = readCall({ name: "list" }, new URLSearchParams("pagination.offset=9"));
  const empty = () => past({ sql: file.port, box }, makeSerializer(), alice, "json");
  await empty();
  expect(await empty()).toBe('{"engines":[],"pagination":{"total":3,"offset":9,"hasPrevious":true,"hasNext":false}}');
  file.close();
});

const long = (characters: number): string => `/v1/dev/engines?${"x".repeat(characters - 16)}`;

test.for<[method: string, target: string, outcome: string]>([
  ["GET", "/v1/dev/engines", "list of GET"],
  ["HEAD", "/v1/dev/engines?orderBy=name", "list of HEAD, orderBy=name"],
  ["POST", "/v1/dev/engines", "upload of POST"],
  ["PUT", "/v1/dev/engines", "list of GET, POST"],
  ["GET", "/v1/dev/engines/x@0.1", "get x@0.1 of GET"],
  ["DELETE", "/v1/dev/engines/x@0.1", "delete x@0.1 of GET, DELETE"],
  ["PATCH", "/v1/dev/engines/x", "get of GET, DELETE"],
  ["DELETE", "/v1/dev/engines/x/status", "status of GET"],
  ["GET", "/v1/dev/engines/x/activate", "undefined of POST"],
  ["GET", "/v1/dev/engines/x/download?engine_tag=y", "download x of GET, engine_tag=y"],
  ["GET", "/v1/dev/engines/x/download?engineData=!", "INVALID_ARGUMENT"],
  ["POST", "/v1/dev/uploads", "upload-link of POST"],
  ["GET", "/v1/dev/uploads", "undefined of POST"],
  ["GET", "/v1/dev", "NOT_FOUND"],
  ["GET", "/v1/devengines", "NOT_FOUND"],
  ["GET", "/engines", "NOT_FOUND"],
  ["GET", "/v1/dev/engines?a=%41", "list of GET, a=A"],
  ["GET", "/v1/dev/engines?a=%4", "INVALID_ARGUMENT"],
  ["GET", "/v1/dev/engines?a=%4g", "INVALID_ARGUMENT"],
  ["GET", long(8_192), `list of GET, ${"x".repeat(8_176)}=`],
  ["GET", long(8_193), "INVALID_ARGUMENT 414"],
])("%s %#", ([method, target, outcome]) => {
  const outcomeOf = (): string => {
    try {
      const { name, tag, query, methods } = located({ method, target });
      const whole = tag === undefined || name === "status" ? "" : ` ${tag}`;
      return `${name}${whole} of ${methods.join(", ")}${query.size === 0 ? "" : `, ${query}`}`;
    } catch (error) {
      const { code, options } = error as ApiError;
      return [code, options.status].join(" ").trim();
    }
  };
  expect(outcomeOf()).toBe(outcome);
});

test("list, get and status read, and nothing else does", () => {
  const names = [
    "list",
    "get",
    "status",
    "upload",
    "activate",
    "deactivate",
    "download",
    "delete",
    "upload-link",
  ] as const;
  expect(names.filter(isRead)).toEqual(["list", "get", "status"]);
});
