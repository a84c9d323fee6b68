import { existsSync, readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startRegistry, type TestRegistry } from "../src/testing.ts";

interface Json {
  readonly [key: string]: Json;
}

const published = [
  "get-engines",
  "get-engine-by-tag",
  "get-engine-status",
  "upload-engine",
  "activate-engine",
  "deactivate-engine",
  "get-engine-link",
].map(
  (name) =>
    JSON.parse(readFileSync(new URL(`../../../proto/openapi/${name}.openapi.json`, import.meta.url), "utf8")) as Json,
);

const browser = "/usr/bin/chromium";

let registry: TestRegistry;
let ours: Json;

beforeAll(async () => {
  const engines = [
    { name: "bare", version: "0.1" },
    {
      name: "full",
      version: "1.2",
      revision: 3,
      deviceRequirements: { minCpu: 0.1, gpu: ["tesla t4"] },
      platformConfig: { container: "c", token: "t", secrets: ["A"] },
    },
  ];
  registry = await startRegistry({ users: [{ name: "carol", apiKey: "key-of-carol", engines }] });
  ours = (await (await fetch(`${registry.origin}/openapi.json`)).json()) as Json;
});

afterAll(() => registry.stop());

/** A document without what the two may say differently: words, read-only marks, and that an unset message is null. */
const bare = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== "object" || value === null) return value;
  const { description, title, readOnly: _, ...rest } = value as Record<string, unknown>;
  const { anyOf } = rest as { anyOf?: ReadonlyArray<{ type?: string }> };
  if (anyOf?.some(({ type }) => type === "null") === true) return bare(anyOf[0]);
  if (Array.isArray(rest["type"]))
    rest["type"] = (rest["type"] as ReadonlyArray<string>).find((type) => type !== "null");
  // A property may be called `description` or `title`: then it is a schema, not words.
  const kept = [description, title].filter((member) => typeof member === "object");
  return {
    ...Object.fromEntries(Object.entries(rest).map(([key, member]) => [key, bare(member)])),
    ...(kept.length > 0 ? { described: kept.map(bare) } : {}),
  };
};

const successOf = (document: Json, path: string, method = "get"): unknown =>
  document["paths"]?.[path]?.[method]?.["responses"]?.["200"]?.["content"];

test("the document agrees with the published ones on every path, parameter, answer and schema", () => {
  expect(ours["openapi"]).toBe("3.1.1");
  const paths = published.flatMap((document) => Object.keys(document["paths"] ?? {}));
  const others = Object.keys(ours["paths"] ?? {}).filter((path) => !path.startsWith("/manage/"));
  expect(new Set(others)).toEqual(new Set([...paths, "/access_token", "/archives/{key}"]));
  for (const document of published) {
    for (const [path, item] of Object.entries(document["paths"] ?? {})) {
      const [method = "get"] = Object.keys(item);
      const operation = ours["paths"]?.[path]?.[method];
      expect(operation?.["operationId"]).toEqual(item[method]?.["operationId"]);
      const parameters = (
        (operation?.["parameters"] ?? []) as unknown as ReadonlyArray<{ readonly in: string }>
      ).filter((parameter) => parameter.in !== "header");
      expect(bare(parameters)).toEqual(bare(item[method]?.["parameters"] ?? []));
      expect(bare(operation?.["requestBody"]?.["content"])).toEqual(bare(item[method]?.["requestBody"]?.["content"]));
      expect(bare(successOf(ours, path, method))).toEqual(bare(successOf(document, path, method)));
      const statuses = Object.keys(item[method]?.["responses"] ?? {});
      expect(Object.keys(operation?.["responses"] ?? {})).toEqual(expect.arrayContaining(statuses));
    }
    for (const [name, schema] of Object.entries(document["components"]?.["schemas"] ?? {})) {
      expect([name, bare(ours["components"]?.["schemas"]?.[name])]).toEqual([name, bare(schema)]);
    }
    expect(ours["components"]?.["securitySchemes"]).toEqual(document["components"]?.["securitySchemes"]);
  }
});

/** A validator of the answers to a path with a status, by a document; every number format of the documents is known. */
const validatorOf = (document: Json, path: string, status: string): ((body: unknown) => unknown) => {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema({ ...document, $id: "document" });
  const at = ["paths", path, "get", "responses", status, "content", "application/json", "schema"];
  const pointer = at.map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))).join("/");
  const validate = ajv.compile({ $ref: `document#/${pointer}` });
  return (body) => (validate(body) ? "valid" : validate.errors);
};

/** Null means absent on this API; the published schemas have no word for it. */
const withoutNulls = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(members.map(([key, member]) => [key, withoutNulls(member)]));
};

test.for([
  ["/engines", "/engines", 0],
  ["/engines?pagination.offset=1", "/engines", 0],
  ["/engines?isPublic=true", "/engines", 0],
  ["/engines/bare", "/engines/{engineTag}", 1],
  ["/engines/full", "/engines/{engineTag}", 1],
  ["/engines/full/status", "/engines/{engineTag}/status", 2],
  ["/engines?isPublic=maybe", "/engines", 0],
  ["/engines/none", "/engines/{engineTag}", 1],
  ["/engines/none/status", "/engines/{engineTag}/status", 2],
] as const)("the answer to %s is valid by our document and by the published one", async ([target, path, index]) => {
  const answer = await fetch(registry.url + target, { headers: { Authorization: "local-carol" } });
  const body: unknown = await answer.json();
  const status = answer.status === 200 ? "200" : "default";
  expect(validatorOf(ours, path, status)(body)).toBe("valid");
  expect(validatorOf(published[index] as Json, path, status)(withoutNulls(body))).toBe("valid");
});

test("the validator refuses what is not an answer", () => {
  expect(validatorOf(ours, "/engines", "200")({ engines: [{ revision: "1" }] })).not.toBe("valid");
  expect(validatorOf(ours, "/engines/{engineTag}", "200")({ createdAt: "yesterday" })).not.toBe("valid");
});

test.skipIf(!existsSync(browser))(
  "the page at /docs shows every call in a real browser, and loads nothing from elsewhere",
  async () => {
    const running = await chromium.launch({ executablePath: browser, args: ["--no-sandbox"] });
    try {
      const page = await running.newPage();
      const complaints: Array<string> = [];
      const elsewhere: Array<string> = [];
      page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("request", (request) => {
        if (!request.url().startsWith(registry.origin) && !request.url().startsWith("data:"))
          elsewhere.push(request.url());
      });
      await page.goto(`${registry.origin}/docs`);
      await page.getByText("/engines/{engineTag}/status").first().waitFor();
      const text = await page.locator("#docs").innerText();
      for (const shown of ["/engines", "/access_token", "Gets the status of one engine.", "ByteNite developers API"]) {
        expect(text).toContain(shown);
      }
      await page.getByText("Gets one engine.").first().click();
      await page.getByText("Tag of the engine").first().waitFor();
      expect(complaints).toEqual([]);
      expect(elsewhere).toEqual([]);
    } finally {
      await running.close();
    }
  },
);
