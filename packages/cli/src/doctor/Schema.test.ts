import { FieldNumberInference, type Profile, type ProfileField } from "@bytenite-engines/core/infer";
import { endpoints, schemaDigests } from "@bytenite-engines/core/wire";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { checkSchema, inferSchema, writeProto, type SchemaEvidence } from "./Schema.ts";

const { typeName } = endpoints.status.response;
const nothing = new FieldNumberInference().profile("https://a.example", 0);

/** What is found about the answers to questions for a status. */
const statusChecks = (
  fields: Readonly<Record<string, ProfileField>>,
  more: Partial<SchemaEvidence> = {},
  unknown: ReadonlyArray<number> = [],
): ReadonlyArray<string> => {
  const message = { compared: 1, fields, unknown };
  const profile: Profile = { ...nothing, messages: { ...nothing.messages, [typeName]: message } };
  return checkSchema({ profile, digests: {}, protobuf: true, misfits: [], ...more })
    .filter(({ check, subject }) => check === "schema" || subject === typeName || subject.startsWith("EngineMessage"))
    .map(({ check, state, subject, detail }) => `${check} ${state} ${subject}: ${detail}`);
};
const number = (number: number) => ({ number, type: "string" });
const digest = (state: string): string => `schema digest ${state}`;

test("each field is confirmed, another one, possible or not seen, and a digest vouches for it", () => {
  const fields = {
    engine_status: { ...number(5), seen: 1 },
    engine_tag: { ...number(9), seen: 1 },
    engine_link: { seen: 2, candidates: [number(2), number(3), number(2)] },
    engine_data: { seen: 0, candidates: [number(2)] },
  };
  expect(statusChecks(fields, { misfits: ["odd"] }, [7, 8])).toEqual([
    `${digest("unknown")} ${typeName}: no answer to look at`,
    "schema failed : odd",
    "field unknown EngineMessage.engineId: never seen with a value",
    "field different EngineMessage.engineTag: 2 -> 9",
    "field unknown EngineMessage.engineData: never seen with a value",
    "field unknown EngineMessage.engineLink: one of 2, 3",
    "field ok EngineMessage.engineStatus: confirmed: 5",
    "field different EngineMessage: numbers that the contract does not have: 7, 8",
  ]);
  expect(statusChecks(fields, { digests: { status: schemaDigests[typeName] ?? "" } })).toEqual([
    `${digest("ok")} ${typeName}: ours`,
    "field ok EngineMessage.engineId: by the digest: 1",
    "field failed EngineMessage.engineTag: 2 -> 9, although the server sends our digest",
    "field ok EngineMessage.engineData: by the digest: 3",
    "field ok EngineMessage.engineLink: by the digest: 4",
    "field ok EngineMessage.engineStatus: confirmed: 5",
  ]);
  for (const [sent, said] of [
    [undefined, `${digest("unknown")} ${typeName}: no answer to look at`],
    [null, `${digest("unknown")} ${typeName}: not sent; compared with the JSON`],
    [schemaDigests[typeName], `${digest("ok")} ${typeName}: ours`],
    ["other", `${digest("different")} ${typeName}: another one than ours`],
  ] as const) {
    expect(statusChecks({}, { digests: sent === undefined ? {} : { status: sent } })[0]).toBe(said);
  }
  expect(statusChecks({}, { protobuf: false })).toEqual([
    "schema ok : the server answers JSON only, which needs no numbers",
  ]);
});

/** A server with two engines on each of its pages, which never end, and what it is asked for. */
const endless = () => {
  const asked = { pages: new Set<string>(), tags: new Set<string>() };
  const fetch = async (address: string | URL): Promise<Response> => {
    const { pathname, searchParams } = new URL(address);
    const offset = Number(searchParams.get("pagination.offset") ?? 0);
    const [, tag, status] = /\/engines\/([^/]+)(\/status)?$/.exec(decodeURIComponent(pathname)) ?? [];
    if (tag === undefined) asked.pages.add(String(offset));
    else asked.tags.add(`${tag}${status ?? ""}`);
    const name = (index: number) => ({ name: `e${offset + index}`, version: "1.0" });
    const body =
      tag === undefined
        ? { engines: [name(0), name(1)], pagination: { total: 1_000, offset, hasNext: true } }
        : status === undefined
          ? { name: tag.split("@")[0], version: "1.0" }
          : { engineTag: tag, engineStatus: "active" };
    return Response.json(body);
  };
  return { asked, fetch };
};

test("five pages and eight engines are read, and that is said", async () => {
  const { asked, fetch } = endless();
  const said: Array<string> = [];
  const { signal } = new AbortController();
  const evidence = await inferSchema(
    { baseUrl: "https://a.example/v1/dev/", fetch },
    0,
    signal,
    (text) => void said.push(text),
  );
  expect([...asked.pages]).toEqual(["0", "2", "4", "6", "8"]);
  expect([...asked.tags]).toEqual(
    Array.from({ length: 8 }, (_, index) => [`e${index}@1.0`, `e${index}@1.0/status`]).flat(),
  );
  expect(said.slice(0, 2)).toEqual(["comparing both forms, page 1", "comparing both forms, page 2"]);
  expect(said.at(-1)).toBe("comparing both forms of e7@1.0");
  expect(evidence).toMatchObject({
    protobuf: false,
    digests: {},
    misfits: [],
    profile: { origin: "https://a.example" },
  });
});

test("the numbering is written for anybody to read, with what buf needs beside it", () => {
  const root = mkdtempSync(join(tmpdir(), "bne-proto-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const evidence: SchemaEvidence = { profile: nothing, digests: {}, protobuf: true, misfits: [] };
  const file = join(root, "a", "theirs.proto");
  mkdirSync(join(root, "a", "b"), { recursive: true });
  expect(writeProto(file, undefined)).toEqual([`${file} was not written: the schema could not be looked at.`]);
  expect(writeProto(file, { ...evidence, protobuf: false })).toEqual([
    `${file} was not written: the server answers JSON only, which has no field numbers.`,
  ]);
  const config = join(root, "a", "buf.yaml");
  expect(writeProto(file, evidence)).toEqual([
    `The numbering found is in ${file}.`,
    `${config} next to it lets \`buf lint\` accept theirs.proto there.`,
  ]);
  expect([file, config].map((path) => statSync(path).mode & 0o777)).toEqual([0o644, 0o644]);
  writeFileSync(config, "mine");
  const below = join(root, "a", "b", "theirs.proto");
  const packagePath = join("bytenite", "calibrated", "v1");
  expect(writeProto(below, evidence)).toEqual([
    `The numbering found is in ${below}.`,
    `For \`buf lint\`, by ${config}, write it to ${join(packagePath, "theirs.proto")} below the root of a module.`,
  ]);
  expect(readFileSync(config, "utf8")).toBe("mine");
  mkdirSync(join(root, packagePath), { recursive: true });
  const there = join(root, packagePath, "theirs.proto");
  expect(writeProto(there, evidence)).toEqual([`The numbering found is in ${there}.`]);
});
