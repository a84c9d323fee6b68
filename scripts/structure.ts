// `pnpm structure`: files, lines, import cycles and the longest chains of imports.
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { chains: { type: "boolean", default: false } } });

const isGenerated = (path: string): boolean => /(?:^|\/)gen\//.test(path);
const isTest = (path: string): boolean => /\.test\.ts$|\/test\//.test(path);
const sources = (pattern: string): ReadonlyArray<string> =>
  globSync(pattern, { exclude: ["**/node_modules/**", "**/dist/**"] })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts") && !isGenerated(path))
    .toSorted();
const linesOf = (path: string): number => readFileSync(path, "utf8").split("\n").length - 1;

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((total, number) => total + number, 0);
const median = (numbers: ReadonlyArray<number>): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;

const parts: Readonly<Record<string, ReadonlyArray<string>>> = {
  shipped: sources("{packages,apps}/*/src/**/*.ts").filter((path) => !isTest(path)),
  internal: [
    ...sources("packages/internal/**/*.ts"),
    ...sources("{scripts,packages/*/scripts,apps/*/scripts}/**/*.ts"),
  ].filter((path) => !isTest(path)),
  tests: [...new Set([...sources("{packages,apps}/**/*.ts"), ...sources("scripts/**/*.ts")])].filter(isTest),
};
for (const [name, files] of Object.entries(parts)) {
  const lines = files.map(linesOf);
  process.stdout.write(`${name}: ${files.length} files, ${sum(lines)} lines, median ${median(lines)}\n`);
}

/** Imports and re-exports with values: types are gone when code runs. */
const importPattern = /^(?:import|export)\s+(?!type\b)(?:([^"';]*?)\s+from\s+)?"([^"]+)";?$/gm;

type Exports = Readonly<Record<string, string>>;
const exportsOf = new Map(
  globSync("{packages,packages/internal,apps}/*/package.json").map((path) => {
    const manifest = JSON.parse(readFileSync(path, "utf8")) as { readonly name: string; readonly exports?: Exports };
    return [manifest.name, { folder: dirname(path), exports: manifest.exports ?? {} }] as const;
  }),
);

/** The file of ours that a module specifier names; undefined for all others. */
const resolved = (from: string, specifier: string): string | undefined => {
  if (specifier.startsWith(".")) return join(dirname(from), specifier);
  const [, name = "", subpath = ""] = /^(@[^/]+\/[^/]+)(.*)$/.exec(specifier) ?? [];
  const found = exportsOf.get(name);
  const target = found?.exports[`.${subpath}`];
  return found === undefined || target === undefined ? undefined : join(found.folder, target);
};

const importsOf = (path: string): ReadonlyArray<string> =>
  [...readFileSync(path, "utf8").matchAll(importPattern)]
    // `{ type A, type B }` imports nothing either.
    .filter(([, names]) => !/^\{(?:\s*type\s[^,}]*,?)*\s*\}$/.test(names ?? ""))
    .flatMap(([, , specifier]) => resolved(path, specifier ?? "") ?? [])
    .filter((file) => file.endsWith(".ts") && existsSync(file));

const chains = new Map<string, ReadonlyArray<string>>();
const cycles = new Set<string>();

/** The longest chain of imports from a file on. */
const longestFrom = (path: string, above: ReadonlyArray<string> = []): ReadonlyArray<string> => {
  const known = chains.get(path);
  if (known !== undefined) return known;
  if (above.includes(path)) {
    cycles.add([...above.slice(above.indexOf(path)), path].join(" -> "));
    return [];
  }
  let longest: ReadonlyArray<string> = [];
  for (const file of importsOf(path)) {
    const chain = longestFrom(file, [...above, path]);
    if (chain.length > longest.length) longest = chain;
  }
  const chain = [path, ...longest];
  chains.set(path, chain);
  return chain;
};

const reachable = (path: string, found = new Set<string>()): ReadonlySet<string> => {
  if (found.has(path)) return found;
  found.add(path);
  for (const file of importsOf(path)) reachable(file, found);
  return found;
};

for (const file of parts["shipped"] ?? []) longestFrom(file);
process.stdout.write(`import cycles in what is shipped: ${cycles.size}\n`);
for (const cycle of cycles) process.stdout.write(`  ${cycle}\n`);

/** Most files and the longest chain that a run may load; a larger number needs a reason. */
const limits: Readonly<Record<string, { readonly files: number; readonly chain: number }>> = {
  "bne get": { files: 112, chain: 20 },
  "a hit of the proxy": { files: 112, chain: 20 },
};
const complaints = cycles.size === 0 ? [] : ["there are import cycles"];

/** Entries: the modules that `bne get` loads one after the other, and the Worker. */
const runs: Readonly<Record<string, ReadonlyArray<string>>> = {
  "bne get": ["packages/cli/src/main.ts", "packages/cli/src/run.ts", "packages/cli/src/commands/get.ts"],
  "a hit of the proxy": ["apps/worker/src/worker.ts"],
};
for (const [name, entries] of Object.entries(runs)) {
  const files = new Set(entries.flatMap((entry) => [...reachable(entry)]).filter((path) => !isGenerated(path)));
  const chain = entries.map((entry) => longestFrom(entry)).reduce((a, b) => (b.length > a.length ? b : a));
  process.stdout.write(`${name}: ${files.size} files are loaded, the longest chain of imports has ${chain.length}\n`);
  if (values.chains) for (const path of chain) process.stdout.write(`  ${relative(".", path)}\n`);
  const limit = limits[name];
  if (limit === undefined || files.size > limit.files || chain.length > limit.chain)
    complaints.push(`${name} may load ${limit?.files} files in chains of at most ${limit?.chain}`);
}
for (const complaint of complaints) process.stderr.write(`${complaint}\n`);
process.exitCode = complaints.length === 0 ? 0 : 1;
