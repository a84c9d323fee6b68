// Dependencies between the packages point one way, and no package knows an app.
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const scope = "@bytenite-engines/";
const root = fileURLToPath(new URL("../../../", import.meta.url));

/** What each package may know of the others, in its sources and in its tests. */
const mayKnow: Readonly<Record<string, ReadonlyArray<string>>> = {
  contract: [],
  proto: [],
  core: ["proto"],
  "http-cache": [],
  registry: ["proto", "core"],
  cli: ["proto", "core", "registry"],
  conformance: ["proto", "core", "registry"],
  mutation: [],
  bench: ["proto", "core", "http-cache", "registry", "cli"],
  worker: ["proto", "core", "http-cache", "registry"],
  "registry-worker": ["proto", "core", "registry"],
};

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const manifests = globSync(["proto/package.json", "{packages,apps}/*/package.json"], { cwd: root }).map(
  (path) => JSON.parse(readFileSync(root + path, "utf8")) as Manifest,
);

const known = (manifest: Manifest): ReadonlyArray<string> =>
  Object.keys({
    ...manifest.dependencies,
    ...manifest.devDependencies,
    ...manifest.peerDependencies,
    ...manifest.optionalDependencies,
  })
    .filter((name) => name.startsWith(scope))
    .map((name) => name.slice(scope.length));

test.for(manifests.map((manifest) => [manifest.name.slice(scope.length), manifest] as const))(
  "%s knows only what it may know",
  ([name, manifest]) => {
    expect(Object.keys(mayKnow)).toContain(name);
    expect(known(manifest).filter((other) => !mayKnow[name]?.includes(other))).toEqual([]);
  },
);

test("no package may know an app", () => {
  expect(Object.values(mayKnow).flat()).not.toContain("worker");
  expect(Object.values(mayKnow).flat()).not.toContain("registry-worker");
});
