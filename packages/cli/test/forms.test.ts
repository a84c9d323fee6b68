import { fromBinary } from "@bufbuild/protobuf";
import { EngineListResponseSchema } from "@bytenite-engines/proto";
import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { outputForms } from "../src/table/Flags.ts";
import { as, bne, makeHome, startBne, type Home } from "./Bne.ts";

let registry: TestRegistry;
let home: Home;

beforeAll(async () => {
  registry = await startRegistry();
  home = makeHome();
});
afterAll(async () => {
  await registry.stop();
  home[Symbol.dispose]();
});

/** Command lines, how they end, and whether the API has a protobuf message for what they print. */
const lines: ReadonlyArray<readonly [line: string, exit: number, protobuf: boolean]> = [
  ["list", 0, true],
  ["list --all --type assembler", 0, true],
  ["get word-count", 0, true],
  ["get word-count frame-splitter", 0, false],
  ["status word-count", 0, true],
  ["status word-count frame-splitter", 0, false],
  ["versions word-count", 0, true],
  ["wait frame-splitter --for active --timeout 5s", 0, true],
  ["diff word-count@0.9 word-count@0.10", 7, false],
  ["doctor", 0, false],
  ["auth status", 0, false],
  ["profile list", 0, false],
  ["config path", 0, false],
  ["config get", 0, false],
  ["config get output --show-origin", 0, false],
];

/** Throws when the text is not of the form. */
const readers: Readonly<Record<string, (text: string) => unknown>> = {
  json: (text) => JSON.parse(text),
  yaml: (text) => parse(text),
  ndjson: (text) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown),
};

for (const [line, exit, protobuf] of lines) {
  test(`bne ${line} writes every form`, async () => {
    for (const form of outputForms) {
      const { code, stdout, stderr } = await bne(home, [...line.split(" "), "--output", form], {
        env: as(registry, "bob"),
      });
      const refused = form === "protobuf" && !protobuf;
      expect([form, code, stdout.length > 0]).toEqual([form, refused ? 2 : exit, !refused]);
      expect(refused ? "" : stderr).toBe("");
      expect([form, readers[form]?.(stdout) ?? "text"]).not.toEqual([form, null]);
    }
  });
}

test("all pages as protobuf are one message, as YAML one document", async () => {
  await registry.publish(
    "bob",
    ...Array.from({ length: 50 }, (_, index) => ({ name: `more-${index}`, version: "1.0" })),
  );
  const child = startBne(home, ["list", "--all", "--output", "protobuf"], { env: as(registry, "bob") });
  const chunks: Array<Uint8Array> = [];
  for await (const chunk of child.stdout) chunks.push(chunk as Uint8Array);
  const message = fromBinary(EngineListResponseSchema, Buffer.concat(chunks));
  expect([message.engines.length, message.pagination?.total, message.pagination?.hasNext]).toEqual([53, 53, false]);
  const { stdout } = await bne(home, ["list", "--all", "--output", "yaml"], { env: as(registry, "bob") });
  const documents = parseAllDocuments(stdout).map((document) => document.toJS() as { engines: Array<object> });
  expect(documents.map(({ engines }) => engines.length)).toEqual([53]);
  expect((await bne(home, ["get", "more-4x"], { env: as(registry, "bob") })).stderr).toMatch(/Did you mean more-4/);
});
