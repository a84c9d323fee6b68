// Types in core's public API: nothing unstable, no Effect in promises.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const reports = new URL("../../consumers/api/core/", import.meta.url);
const effect = dirname(createRequire(import.meta.url).resolve("effect/package.json"));

/** The entries for Effect. The adapter for its `HttpClient` cannot be without that type, and is there for those who use it. */
const forEffect = ["http-client", "index", "metrics", "service"];
const adapter = { "http-client": ["http/HttpClient.HttpClient is unstable"] } as Readonly<
  Record<string, Array<string>>
>;

/** The types of Effect in a report of the public API, each with what Effect says of it. */
const effectTypes = (report: string): ReadonlyArray<string> => {
  const found = new Set<string>();
  for (const [, name = "", path = ""] of report.matchAll(/import (?:type )?\* as (\w+) from 'effect\/([\w/]+)'/g)) {
    for (const [, type = ""] of report.matchAll(new RegExp(`\\b${name}\\.([A-Z]\\w*)`, "g")))
      found.add(`${path}.${type} is ${stability(path, type)}`);
  }
  return [...found];
};

/** The tag in the comment before a declaration. */
const stability = (path: string, type: string): string => {
  const declarations = readFileSync(join(effect, "dist", `${path}.d.ts`), "utf8");
  const at = declarations.search(new RegExp(`^export (?:declare )?(?:interface|type|class) ${type}\\b`, "m"));
  const comment = declarations.slice(declarations.lastIndexOf("/**", at), at);
  return /@stability (\w+)/.exec(comment)?.[1] ?? "unknown";
};

const entries = readdirSync(reports).map((file) => ({
  name: file.replace(".api.md", ""),
  report: readFileSync(new URL(file, reports), "utf8"),
}));

test.for(entries.filter(({ name }) => forEffect.includes(name)))("$name has stable types of Effect only", (entry) => {
  const types = effectTypes(entry.report);
  expect(types.length).toBeGreaterThan(1);
  expect(types.filter((type) => !type.endsWith(" is stable"))).toEqual(adapter[entry.name] ?? []);
});

test.for(entries.filter(({ name }) => !forEffect.includes(name)))("$name has no type of Effect", ({ report }) => {
  expect(report).toContain("API Report File");
  expect(report).not.toMatch(/['"]effect['"/]/);
});

test("the promise entry is one of those without Effect", () => {
  expect(entries.map(({ name }) => name)).toEqual(expect.arrayContaining([...forEffect, "promise"]));
});
