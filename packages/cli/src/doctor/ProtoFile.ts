// Writes the numbering found as a .proto, with what buf needs to accept it at its place.
import { existsSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { emitProto, emittedLintConfig, emittedPackage } from "@bytenite-engines/core/trust";
import { writeAtomically } from "../settings/Files.ts";
import type { SchemaEvidence } from "./Schema.ts";

/** Anybody may read these files; there is no value in them. */
const fileMode = 0o644;
const configName = "buf.yaml";

/** Where buf wants files of the emitted package, below the directory in which it runs. */
const packagePath = emittedPackage.replaceAll(".", sep);

/** Writes the .proto of what was found, if anything; what was done, in sentences. Throws FileError. */
export const writeProto = (path: string, evidence: SchemaEvidence | undefined): ReadonlyArray<string> => {
  if (evidence === undefined) return [`${path} was not written: the schema could not be looked at.`];
  if (!evidence.protobuf) return [`${path} was not written: the server answers JSON only, which has no field numbers.`];
  writeAtomically(path, emitProto(evidence.profile), fileMode);
  return [`The numbering found is in ${path}.`, ...lintConfig(path)];
};

/** buf takes a file anywhere but at the path of its package for a mistake, unless a configuration says otherwise. */
const lintConfig = (path: string): ReadonlyArray<string> => {
  const directory = dirname(path);
  if (directory.endsWith(sep + packagePath)) return [];
  const existing = configAbove(directory);
  if (existing === undefined) {
    const config = join(directory, configName);
    writeAtomically(config, emittedLintConfig, fileMode);
    return [`${config} beside it lets \`buf lint\` accept ${basename(path)} there.`];
  }
  return [
    `For \`buf lint\`, by ${existing}, write it to ${join(packagePath, basename(path))} below the root of a module.`,
  ];
};

/** The configuration that buf would take for a directory. */
const configAbove = (directory: string): string | undefined => {
  const config = join(directory, configName);
  if (existsSync(config)) return config;
  const above = dirname(directory);
  return above === directory ? undefined : configAbove(above);
};
