// Direction of dependencies between packages.
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const scope = "@bytenite-engines/";
const root = fileURLToPath(new URL("../../../../../", import.meta.url));

/** Allowed imports of each published or deployed package, in sources and in tests. */
const knows: Readonly<Record<string, ReadonlyArray<string>>> = {
  contract: [],
  proto: [],
  core: ["http-cache", "proto", "test-kit"],
  "http-cache": ["test-kit"],
  registry: ["core", "proto", "test-kit"],
  cli: ["core", "proto", "registry", "test-kit"],
  "test-kit": [],
  worker: ["core", "http-cache", "proto", "registry", "test-kit"],
  "registry-worker": ["core", "proto", "registry", "test-kit"],
};

/** What only proves, measures or documents the rest: it may know all that is published. */
const provers = new Set(["docs", "e2e", "lab"]);

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const manifests = globSync(["{proto,docs}/package.json", "{packages,apps,packages/internal}/*/package.json"], {
  cwd: root,
}).map((path) => JSON.parse(readFileSync(root + path, "utf8")) as Manifest);

const known = (manifest: Manifest): ReadonlyArray<string> =>
  Object.keys({
    ...manifest.dependencies,
    ...manifest.devDependencies,
    ...manifest.peerDependencies,
    ...manifest.optionalDependencies,
  })
    .filter((name) => name.startsWith(scope))
    .map((name) => name.slice(scope.length));

const sorted = (names: Iterable<string>): ReadonlyArray<string> => [...names].toSorted();

test("every package is one of these", () => {
  const names = manifests.map(({ name }) => name.slice(scope.length));
  expect(names.filter((name) => !(name in knows) && !provers.has(name))).toEqual([]);
});

test.for(Object.keys(knows))("%s knows exactly what it is said to know", (name) => {
  const manifest = manifests.find((each) => each.name === scope + name);
  expect(manifest && sorted(known(manifest))).toEqual(sorted(knows[name] ?? []));
});

test("no package knows an app", () => {
  const apps = new Set(["worker", "registry-worker"]);
  expect(manifests.filter((manifest) => known(manifest).some((name) => apps.has(name)))).toEqual([]);
});
