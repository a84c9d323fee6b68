// The archives of the lifecycle table, as bytes and as folders.
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { archiveOf as pack } from "@bytenite-engines/test-kit/archives";
import type { ArchiveName } from "./Rows.ts";

/** The version of all engines of the table. */
export const version = "0.1";

/** Most bytes of an archive that the registries of the table take. */
export const maxArchiveBytes = 1_000_000;

const files = (name: ArchiveName, engine: string): Readonly<Record<string, string>> => {
  const manifest = { name: engine, version, type: "partitioner", is_public: name === "public" };
  return {
    "manifest.json": JSON.stringify(manifest),
    "app/main.py": name === "large" ? "x".repeat(maxArchiveBytes) : `print("${name}")\n`,
  };
};

/** The bytes of an archive: what `bne push` makes of its folder, where it would push that. */
export const archiveOf = (name: ArchiveName, engine: string): Promise<Buffer> => {
  const { "manifest.json": manifest, ...others } = files(name, engine);
  return pack(name === "without-manifest" ? undefined : manifest, {
    ...others,
    ...(name === "escaping" ? { "../outside.txt": "x" } : {}),
  });
};

/** Writes the folder that an archive is made of; a link where the archive has an entry outside of it. */
export const writeFolder = (path: string, name: ArchiveName, engine: string): void => {
  for (const [file, text] of Object.entries(files(name, engine))) {
    if (name === "without-manifest" && file === "manifest.json") continue;
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), text);
  }
  if (name === "escaping") symlinkSync("..", join(path, "outside"));
};
