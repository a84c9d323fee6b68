// Bill of materials of a published package.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundled, type Licensed } from "./Licences.ts";
import { publishedPackages } from "./Packed.ts";
import { quietly } from "./Step.ts";

interface Component {
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
}

/** The used part of a CycloneDX document. */
export interface Sbom {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly metadata: { readonly component: Component & { readonly group?: string } };
  readonly components?: ReadonlyArray<Component>;
}

/** Writes one CycloneDX document per published package into a folder. Resolves with the paths. */
export const writeSboms = async (folder: string): Promise<ReadonlyArray<string>> => {
  mkdirSync(folder, { recursive: true });
  const filters = publishedPackages().map(({ manifest }) => `--filter=${manifest.name}`);
  const out = join(folder, "%s-%v.cdx.json");
  const form = ["--sbom-format=cyclonedx", "--prod", "--split", "--out", out];
  await quietly("npx", ["-y", "pnpm@12", "--recursive", ...filters, "sbom", ...form]);
  const files = readdirSync(folder).filter((name) => name.endsWith(".cdx.json"));
  for (const name of files.filter((name) => name.startsWith("bytenite-engines-cli-"))) addBundled(join(folder, name));
  return files.map((name) => join(folder, name));
};

/** Adds the bundled packages of `bne`, which a package manager does not list. */
const addBundled = (path: string): void => {
  const sbom = JSON.parse(readFileSync(path, "utf8")) as Sbom;
  const known = new Set((sbom.components ?? []).map(({ purl }) => purl));
  const added = bundled()
    .map(componentOf)
    .filter(({ purl }) => !known.has(purl));
  writeFileSync(
    path,
    `${JSON.stringify({ ...sbom, components: [...(sbom.components ?? []), ...added] }, undefined, 2)}\n`,
  );
};

const componentOf = ({ name, version, licence }: Licensed) => {
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  const [group, plain] = name.startsWith("@") ? name.split("/") : [undefined, name];
  return {
    type: "library",
    ...(group === undefined ? {} : { group }),
    name: plain ?? name,
    version,
    purl,
    "bom-ref": purl,
    licenses: [{ expression: licence.replaceAll(/^\(|\)$/g, "") }],
    properties: [{ name: "bytenite-engines:bundled", value: "true" }],
  };
};
