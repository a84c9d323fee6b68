// Messages of the troubleshooting page, compared with the code.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { EngineError, type EngineErrorReason } from "@bytenite-engines/core";
import { expect, test } from "vitest";
import { isShown } from "../src/Guide.ts";
import { root } from "@bytenite-engines/test-kit";

const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** The rows of the table or list below a heading: each a list of cells. An item is `- 404 \`message\`: cure`, with a status or a reason. */
const rowsBelow = (heading: string): ReadonlyArray<ReadonlyArray<string>> => {
  const [, section = ""] = read("docs/troubleshooting.md").split(`\n## ${heading}\n`);
  const lines = (section.split("\n## ")[0] ?? "").split("\n");
  const items = lines.flatMap((line) => {
    const item = /^- (?:(\d{3}|`\w+`) )?(`[^`]+`)(?:: (.*))?$/.exec(line);
    return item === null ? [] : [[item[1] ?? "", item[2] ?? "", item[3] ?? ""]];
  });
  const rows = lines
    .filter((line) => line.startsWith("|"))
    .map((row) =>
      row
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .filter(([first = "", second = ""]) => !/^-+$/.test(first) && (/`/.test(first + second) || /^\d+$/.test(first)));
  return [...items, ...rows];
};

const code = (cell = ""): string => cell.replaceAll("`", "");

/** The texts in quotes of one kind or another that follow a place in sources, `…` for what is filled in. */
const textsAfter = (files: ReadonlyArray<string>, place: RegExp): ReadonlyArray<string> => {
  const literals = new RegExp(`${place.source}(?:"([^"\n]*)"|'([^'\n]*)'|\`([^\`]*)\`)`, "g");
  const found = files.flatMap((file) =>
    [...read(file).matchAll(literals)].map(([, double, single, template]) => double ?? single ?? template ?? ""),
  );
  return [...new Set(found.map((text) => text.replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, "…")))].toSorted();
};

/** Messages of the page that the code does not have. The page leaves out those that say what to do. */
const unknown = (shown: ReadonlyArray<string>, messages: ReadonlyArray<string>): ReadonlyArray<string> =>
  shown.filter((message) => !messages.includes(message));

const sources = (pattern: string): ReadonlyArray<string> =>
  globSync(pattern, { cwd: root }).filter((file) => !file.endsWith(".test.ts"));

const plain =
  "NotFound Unauthenticated PermissionDenied InvalidArgument Conflict RateLimited Unavailable Unimplemented";

const samples: ReadonlyArray<EngineErrorReason> = [
  ...`${plain} DataLoss Rejected`.split(" ").map((_tag) => ({ _tag }) as EngineErrorReason),
  ...(["dns", "refused", "reset", "tls", "network"] as const).map(
    (problem) => ({ _tag: "Unreachable", problem }) as const,
  ),
  { _tag: "Unauthenticated", noneSent: true },
  { _tag: "Unreachable", problem: "network", pageOrigin: "https://app.example" },
  { _tag: "TimedOut", scope: "attempt", limitMs: 1 },
  { _tag: "TimedOut", scope: "deadline", limitMs: 1 },
  { _tag: "Undecodable", problem: "it is HTML" },
  { _tag: "TooLarge", limit: "maxPages", value: 1 },
  { _tag: "RedirectRefused", problem: "it loops" },
  { _tag: "CircuitOpen", retryAfterMs: 1 },
  { _tag: "CredentialsFailed", problem: "no key" },
];

test("every reason of a failed call has a row, and its message is the one that is thrown", () => {
  const rows = rowsBelow("Failures of a call").map(([reason, message]) => [code(reason), code(message)] as const);
  const declared = [...read("packages/core/src/EngineError.ts").matchAll(/\| \{\s+readonly _tag: "(\w+)"/g)];
  expect(new Set(rows.map(([reason]) => reason))).toEqual(new Set(declared.map(([, tag]) => tag)));
  expect(rows).toHaveLength(samples.length);
  for (const reason of samples) {
    const { message } = new EngineError({ reason, url: "https://a.example/", attempts: 1 });
    const said = message.replace(" [GET https://a.example/]", "");
    const shown = rows.filter(([tag, text]) => tag === reason._tag && isShown(said, text));
    expect({ said, rows: shown.length }).toEqual({ said, rows: 1 });
  }
});

test("every exit code of bne has a row with its meaning and the reasons that lead to it", () => {
  const source = read("packages/cli/src/Errors.ts");
  const numbers = new Map([...source.matchAll(/^ {2}(\w+): (\d+),$/gm)].map(([, name, number]) => [name, number]));
  const meanings = [...source.matchAll(/\[\s*exitCodes\.(\w+),\s*"([^"]+)",?\s*\]/g)];
  const reasons = [...source.matchAll(/^ {2}(\w+): exitCodes\.(\w+),$/gm)];
  expect(reasons.length).toBeGreaterThan(15);
  const expected = meanings.map(([, name, meaning]) => [
    numbers.get(name),
    meaning,
    reasons.flatMap(([, tag = "", exit]) => (exit === name ? [tag] : [])).toSorted(),
  ]);
  const rows = rowsBelow("Exit codes of `bne`").map(([number, meaning, tags]) => [
    number,
    meaning,
    code(tags).split(" ").filter(Boolean).toSorted(),
  ]);
  expect(rows).toEqual(expected);
});

test("the proxy refuses with the messages of the page", () => {
  const answered = textsAfter(
    sources("apps/worker/src/*.ts").filter((file) => !file.endsWith("Log.ts")),
    /(?:message:\s+|(?:badRequest|unauthenticated)\(\s*|refusal\(\s*\d+,\s*"[A-Z_]+",\s*|tooManyRequests = )/,
  );
  const purges = textsAfter(
    ["apps/worker/src/Purge.ts"],
    /(?:return|\?|:) (?=["`](?:say what|endpoint must|tag must|unknown parameter|\$\{twice\}|hard must|all))/,
  );
  const settings = textsAfter(["apps/worker/src/Config.ts"], /[(,=]\s*/);
  const shown = rowsBelow("Refusals of the proxy").map(([, message]) => code(message));
  expect(shown.length).toBeGreaterThan(4);
  expect(unknown(shown, [...answered, ...purges, ...settings])).toEqual([]);
  expect(answered.length).toBeGreaterThan(10);
  expect(read("docs/troubleshooting.md")).toContain(textsAfter(["apps/worker/src/Config.ts"], /new Error\(/)[0]);
});

test("the registry refuses with the messages of the page", () => {
  const registry = sources("packages/registry/src/{api,node,faults}/*.ts");
  const refusals = textsAfter(registry, /(?:new ApiError\("[A-Z_]+", |conflict\(|unauthenticated\(|refused\(\d+, )/);
  const raw = textsAfter(registry, /(?:\[\d+, "[A-Z_]+", |"INVALID_ARGUMENT" as const,\s*)/);
  const database = textsAfter(["packages/registry/src/api/SqlDriver.ts"], /super\(/);
  // The rest is about kinds of parameters that this API has none of.
  const queries = textsAfter(
    ["packages/core/src/QueryParameters.ts", "packages/core/src/http-rule/FieldText.ts"],
    /FieldTextError\(/,
  ).filter((problem) => !/^(?:excludes|is too long|must be (?:a number|a value of|the JSON of))/.test(problem));
  const worker = textsAfter(["apps/registry/src/worker.ts"], /message: /);
  const shown = rowsBelow("Refusals of the registry").map(([, message]) => code(message));
  const parameters = queries.map((problem) => `query parameter … ${problem}`);
  expect(shown.length).toBeGreaterThan(4);
  expect(unknown(shown, [...refusals, ...raw, ...database, ...parameters, ...worker])).toEqual([]);
});

test("the registry refuses uploads, changes and downloads with the messages of the page", () => {
  const refusals = textsAfter(sources("packages/registry/src/archive/*.ts"), /new ApiError\(\s*"[A-Z_]+",\s*/);
  const shown = rowsBelow("Uploads, changes and downloads").map(([, message]) => code(message));
  expect(shown.length).toBeGreaterThan(4);
  expect(unknown(shown, refusals)).toEqual([]);
});

test("a registry that does not start says one of the sentences of the page", () => {
  const commands = textsAfter(["packages/registry/src/command/serve.ts"], /\) return /);
  const files = textsAfter(["packages/registry/src/command/Database.ts"], / {2}\d+: /);
  const keys = textsAfter(sources("packages/registry/src/api/{KeyCheck,SecretBox}.ts"), /(?:KeyError\(\s*|problem = )/);
  const shown = rowsBelow("When the registry does not start").map(([, message]) => code(message));
  expect(shown.length).toBeGreaterThan(4);
  expect(unknown(shown, [...commands, ...files, ...keys])).toEqual([]);
});
