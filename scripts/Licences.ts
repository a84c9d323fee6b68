// Allowed licences of bundled and of other dependencies.
import { readFileSync } from "node:fs";
import satisfies from "spdx-satisfies";
import { quietly } from "./Step.ts";

/** Licences allowed in published packages: those that require no more than a notice. */
export const allowedInPackages = ["0BSD", "Apache-2.0", "BlueOak-1.0.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"];

/** Further licences of tools: they run here and are not distributed. */
export const allowedInTools = [
  ...allowedInPackages,
  "CC-BY-3.0",
  "CC-BY-4.0",
  "CC0-1.0",
  "LGPL-3.0-or-later",
  "MPL-2.0",
  "Python-2.0",
];

/** A package of others, and the SPDX expression of its licence. */
export interface Licensed {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
}

/** A sentence for each package whose licence is not among the allowed ones, or is not an SPDX expression. */
export const refused = (packages: ReadonlyArray<Licensed>, allowed: ReadonlyArray<string>): ReadonlyArray<string> =>
  packages
    .filter(({ licence }) => !isAllowed(licence, allowed))
    .map(
      ({ name, version, licence }) =>
        `${name} ${version} is under ${licence}, which is not among ${allowed.join(", ")} (scripts/Licences.ts)`,
    );

const isAllowed = (licence: string, allowed: ReadonlyArray<string>): boolean => {
  try {
    return satisfies(licence, [...allowed]);
  } catch {
    return false;
  }
};

/** The packages that a package manager has installed for us. */
export const installed = async (...which: ReadonlyArray<string>): Promise<ReadonlyArray<Licensed>> => {
  const listed = JSON.parse(await quietly("pnpm", ["--recursive", "licenses", "list", "--json", ...which])) as Readonly<
    Record<string, ReadonlyArray<{ readonly name: string; readonly versions: ReadonlyArray<string> }>>
  >;
  return Object.entries(listed).flatMap(([licence, packages]) =>
    packages.map(({ name, versions }) => ({ name, version: versions.join(", "), licence })),
  );
};

/** Packages in the bundle of `bne`, as listed by the build. */
export const bundled = (): ReadonlyArray<Licensed> => {
  const text = readFileSync("packages/cli/dist/THIRD-PARTY-LICENSES.txt", "utf8");
  const found = [...text.matchAll(/^((?:@[\w.-]+\/)?[\w.-]+) (\d\S*): (.+)$/gm)].map(
    ([, name = "", version = "", licence = ""]) => ({ name, version, licence }),
  );
  if (found.length === 0) throw new Error("packages/cli/dist/THIRD-PARTY-LICENSES.txt names no package");
  return found;
};

/** Holds all dependencies against the two lists. */
export const checkLicences = async (): Promise<void> => {
  const handedOn = [...(await installed("--prod", "--filter=./packages/*")), ...bundled()];
  const problems = [...refused(handedOn, allowedInPackages), ...refused(await installed(), allowedInTools)];
  if (problems.length > 0) throw new Error([...new Set(problems)].join("\n"));
};
