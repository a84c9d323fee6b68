// Tarballs of the published packages.
import { globSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ran } from "./Ran.ts";

const repository = fileURLToPath(new URL("../../../../..", import.meta.url));

const isPublished = (folder: string): boolean => {
  const manifest = readFileSync(join(repository, "packages", folder, "package.json"), "utf8");
  return (JSON.parse(manifest) as { readonly private?: boolean }).private !== true;
};

/** The published packages, by their folders, which are what follows the scope in their names. */
export const published: ReadonlyArray<string> = globSync("packages/*/package.json", { cwd: repository })
  .map((manifest) => basename(dirname(manifest)))
  .filter(isPublished)
  .toSorted();

/** Packs the built packages into a folder. Resolves with the paths of the tarballs, by full name. */
export const packAll = async (folder: string): Promise<Readonly<Record<string, string>>> => {
  const filters = published.map((name) => `--filter=@bytenite-engines/${name}`);
  await ran("npx", ["-y", "pnpm@12", "--recursive", ...filters, "pack", "--pack-destination", folder], repository);
  const files = readdirSync(folder);
  return Object.fromEntries(
    published.map((name) => {
      const file = files.find((file) => /^bytenite-engines-(.*)-\d/.exec(file)?.[1] === name);
      if (file === undefined) throw new Error(`${name} was not packed; it left ${files.join(", ")}`);
      return [`@bytenite-engines/${name}`, join(folder, file)];
    }),
  );
};
