import { fromBinary, type DescMessage } from "@bufbuild/protobuf";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { nameOf } from "../src/parse/Command.ts";
import { commandAt, commands } from "../src/parse/CommandTable.ts";
import { outputForms, type OutputForm } from "../src/parse/Flags.ts";
import { type Result } from "@bytenite-engines/test-kit/process";
import { as, bne, bytesOf, startBne } from "./Bne.ts";
import { archives, trial } from "./Trial.ts";

const { registry, home } = await trial();
const archived = await archives(home, "hello");

/** How a command line answers each form. */
interface Answers {
  readonly line: string;
  /** Default 0. */
  readonly exit?: number;
  /** The message that `protobuf` is; absent: the API has none for this, which is a usage error. */
  readonly message?: DescMessage;
  /** The forms that it writes. Default: all but protobuf, and that when there is a message. */
  readonly forms?: ReadonlyArray<OutputForm>;
  /** Two runs say the same. */
  readonly steady?: false;
}

const none: ReadonlyArray<OutputForm> = [];
const withRecords = outputForms.filter((form) => form !== "protobuf");

/** Every command at least once; the test below compares with the table of commands. */
const table: ReadonlyArray<Answers> = [
  { line: "list", message: EngineListResponseSchema },
  { line: "list --all --type assembler", message: EngineListResponseSchema },
  { line: "get word-count", message: EngineSchema },
  { line: "get word-count frame-splitter" },
  { line: "status word-count", message: EngineMessageSchema },
  { line: "status word-count frame-splitter" },
  { line: "versions word-count", message: EngineListResponseSchema },
  { line: "new other --type assembler", forms: none },
  { line: "validate hello" },
  { line: "push hello --dry-run" },
  { line: "pull hello copy --force" },
  { line: "activate hello", message: EngineMessageSchema },
  { line: "deactivate hello@0.1", message: EngineMessageSchema },
  { line: "wait frame-splitter --for active --timeout 5s", message: EngineMessageSchema },
  { line: "watch word-count --timeout 1s", forms: ["ndjson"] },
  { line: "diff word-count@0.9 word-count@0.10", exit: 7 },
  { line: "doctor", steady: false },
  { line: "auth status" },
  { line: "profile list" },
  { line: "config path" },
  // It states the format itself.
  { line: "config get", steady: false },
  { line: "config get attempts --show-origin" },
  // These write no records: they have no --output.
  { line: "export --all", forms: none },
  // Its lines are bodies, not records.
  { line: "raw GET /engines", forms: ["json", "ndjson", "yaml", "protobuf"], steady: false },
  { line: "auth login", forms: none },
  { line: "auth logout", forms: none },
  { line: "auth token", forms: none },
  { line: "profile set other --attempts 2", forms: none },
  { line: "profile use default", forms: none },
  { line: "profile remove default", forms: none },
  { line: "config set attempts 2", forms: none },
  { line: "cache clear", forms: none },
  { line: "commands" },
  { line: "version" },
  { line: "completion bash", forms: none },
  { line: "help list", forms: none },
];

/** What it changes cannot be changed eight times; `lifecycle.test.ts` has its forms. */
const once = new Set(["bne delete"]);

test("every command is in the table; those of the registry have a file of their own", async () => {
  const asked = table.map(({ line }) => commandAt(line.split(" "))?.command);
  const names = commands.filter((command) => command.path[0] !== "registry" && !once.has(nameOf(command))).map(nameOf);
  expect(new Set(asked.map((command) => command && nameOf(command)))).toEqual(new Set(names));
});

const linesOf = (text: string): ReadonlyArray<string> => text.trimEnd().split("\n");

/** What a text of a form says; throws when it is none of that form. */
const readers: Readonly<Partial<Record<OutputForm, (text: string) => unknown>>> = {
  json: (text) => JSON.parse(text),
  yaml: (text) => parse(text),
  ndjson: (text) => linesOf(text).map((line) => JSON.parse(line) as unknown),
};

/** The records of a document: it is one, an array of them, or an envelope with the array as its first key. */
const recordsIn = (document: unknown): unknown => {
  if (Array.isArray(document)) return document;
  const first = Object.values(document as object)[0] as unknown;
  return Array.isArray(first) ? first : [document];
};

/** A usage error, which is JSON where JSON was asked for. */
const complaintOf = (form: OutputForm, stderr: string): string => {
  if (form !== "json" && form !== "ndjson") return stderr;
  const { error } = JSON.parse(stderr) as { error: Record<"message" | "hint" | "reason", string> };
  expect(error.reason).toBe("Usage");
  return `bne: ${error.message}\n${error.hint}\n`;
};

/** What stands on stderr when all went well: nothing, or notes of commands that send or fetch archives. */
const notes =
  /^(?:(?:hello@0\.1|Nothing was sent|\d+ of \d+ engines match;|warning: app|\{"type":"(?:note|warning)").*\n)*$/;

/** It says what cannot be, and what can. */
const complaint =
  /^bne: (?:(?:bne [a-z ]+ has no flag "--output"|bne watch does not write \w+.*|--output protobuf is for one engine|The API has no protobuf message for this)\n.+|--output must be one of .+(?:\nDid you mean .+)?)\n$/;

/** Engines that have archives are at a server of their own. */
const envFor = ([word = ""]: ReadonlyArray<string>): Record<string, string> =>
  ["push", "pull", "activate", "deactivate"].includes(word) ? archived.env : as(registry, "bob");

/** Runs a line in every form at once. */
const inEveryForm = async (
  words: ReadonlyArray<string>,
  forms: ReadonlyArray<OutputForm> = outputForms,
): Promise<ReadonlyMap<OutputForm, Result>> =>
  new Map(
    await Promise.all(
      forms.map(
        async (form) =>
          [form, await bne(home, [...words, "--output", form], { env: envFor(words), input: "token" })] as const,
      ),
    ),
  );

for (const { line, exit = 0, message, forms = withRecords, steady = true } of table) {
  test(`bne ${line}: every form, or what is wrong about it`, async () => {
    const results = await inEveryForm(line.split(" "));
    const said = new Map<OutputForm, unknown>();
    for (const [form, { code, stdout, stderr }] of results) {
      const written = forms.includes(form) || (form === "protobuf" && message !== undefined);
      expect({ form, code, empty: stdout === "" }).toEqual({ form, code: written ? exit : 2, empty: !written });
      expect(written ? stderr : complaintOf(form, stderr)).toMatch(written ? notes : complaint);
      if (written) said.set(form, readers[form]?.(stdout));
    }
    if (!said.has("json") || !steady) return;
    const document = said.get("json");
    expect(said.get("yaml")).toEqual(document);
    expect(said.get("ndjson")).toEqual(recordsIn(document));
    if (message === undefined) return;
    const bytes = await bytesOf(
      startBne(home, [...line.split(" "), "-o", "protobuf"], { env: envFor(line.split(" ")) }),
    );
    expect(Object.keys(fromBinary(message, bytes))).not.toContain("$unknown");
  });
}

test("all pages as protobuf are one message, as YAML one document", async () => {
  await registry.publish(
    "bob",
    ...Array.from({ length: 50 }, (_, index) => ({ name: `more-${index}`, version: "1.0" })),
  );
  const env = as(registry, "bob");
  const bytes = await bytesOf(startBne(home, ["list", "--all", "--output", "protobuf"], { env }));
  const message = fromBinary(EngineListResponseSchema, bytes);
  expect([message.engines.length, message.pagination?.total, message.pagination?.hasNext]).toEqual([53, 53, false]);
  const { stdout } = await bne(home, ["list", "--all", "--output", "yaml"], { env });
  const documents = parseAllDocuments(stdout).map((document) => document.toJS() as { engines: Array<object> });
  expect(documents.map(({ engines }) => engines.length)).toEqual([53]);
});
