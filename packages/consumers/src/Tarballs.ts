// Decides: what is installed: the five packages as publishing packs them.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ran } from "./Ran.ts";

/** The published packages, by what follows the scope in their names. */
export const published = ["proto", "core", "http-cache", "registry", "cli"] as const;

const repository = fileURLToPath(new URL("../../..", import.meta.url));

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
