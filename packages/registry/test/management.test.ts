// Management API on Node and SQLite, by the shared table of cases.
import { managementCases, managementTokens } from "@bytenite-engines/test-kit/management";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { beforeAll, expect, test } from "vitest";
import {
  addCredential,
  ensureUser,
  publishAll,
  startRegistryServer,
  userOf,
  type RunningRegistry,
} from "../src/index.ts";

let registry: RunningRegistry;

beforeAll(async () => {
  registry = await startRegistryServer({
    database: ":memory:",
    port: 0,
    trial: false,
    key: "a key for tests, which is no secret",
    corsOrigins: ["https://app.example"],
  });
  const root = ensureUser(registry.file, "root", Date.now());
  for (const scope of ["read", "publish", "manage"] as const) {
    await addCredential(registry.file, root, "token", managementTokens[scope], Date.now(), scope);
  }
  await addCredential(registry.file, root, "token", managementTokens.expired, Date.now(), "manage");
  registry.file.transaction((run) => run("UPDATE credentials SET expires_at = 1 WHERE rowid = last_insert_rowid()"));
  return registry.stop;
});

// oxlint-disable-next-line vitest/expect-expect -- the cases of the table expect.
test.for(
  managementCases(
    (path, init) => fetch(registry.origin + path, init),
    async (user, name, version) => {
      const engine = { name, version, platformConfig: { token: `secret of ${name}@${version}` } };
      const { file, box } = registry;
      await publishAll(file, userOf(file, user), [name === "tool" ? { name, version } : engine], box, Date.now());
    },
  ),
)("%s", ([, run]) => run());

const documented = async (): Promise<Record<string, unknown>> =>
  (await (await fetch(`${registry.origin}/openapi.json`)).json()) as Record<string, unknown>;

test.for(["/users", "/users/{user}", "/credentials", "/engines", "/audit", "/statistics"])(
  "what GET %s answers is valid by the document that is served",
  async (path) => {
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    addFormats.default(ajv);
    ajv.addSchema({ ...(await documented()), $id: "document" });
    const at = ["paths", `/manage/v1${path}`, "get", "responses", "200", "content", "application/json", "schema"];
    const pointer = at.map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))).join("/");
    const validate = ajv.compile({ $ref: `document#/${pointer}` });
    const answer = await fetch(`${registry.origin}/manage/v1${path.replace("{user}", "root")}`, {
      headers: { Authorization: managementTokens.manage, "Bytenite-Management": "1" },
    });
    expect(answer.status).toBe(200);
    expect(validate(await answer.json()) ? "valid" : validate.errors).toBe("valid");
    expect(validate({})).toBe(false);
  },
);

test("the document names every route and method, and nothing else", async () => {
  const paths = Object.entries((await documented())["paths"] as Record<string, Record<string, unknown>>);
  const managed = paths.filter(([path]) => path.startsWith("/manage/"));
  expect(managed.length).toBe(9);
  for (const [path, item] of managed) {
    const concrete = path.replace("{user}", "root").replace("{tag}", "x@0.1").replace("{id}", "x");
    const options = await fetch(registry.origin + concrete, { method: "OPTIONS" });
    const methods = Object.keys(item).filter((key) => key !== "servers");
    const allowed = (options.headers.get("allow") ?? "").toLowerCase().split(", ");
    expect([path, allowed.filter((method) => !["head", "options"].includes(method)).toSorted()]).toEqual([
      path,
      methods.toSorted(),
    ]);
  }
});
