// All fuzz targets, with files and seeds.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("targets", import.meta.url));
const seeds = fileURLToPath(new URL("seeds", import.meta.url));

/** All targets, in the order in which they take their turns. */
export const targetNames: ReadonlyArray<string> = readdirSync(folder)
  .map((file) => file.replace(/\.ts$/, ""))
  .toSorted();

/** The module of a target. */
export const moduleOf = (name: string): string => join(folder, `${name}.ts`);

/** The folder of a target's seeds. */
export const seedsOf = (name: string): string => join(seeds, name);

/** The seeds of a target, by path. */
export const seedFiles = (name: string): ReadonlyArray<string> =>
  existsSync(seedsOf(name))
    ? readdirSync(seedsOf(name))
        .toSorted()
        .map((file) => join(seedsOf(name), file))
    : [];
