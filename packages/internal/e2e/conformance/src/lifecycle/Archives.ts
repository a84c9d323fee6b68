// The archives of the lifecycle table, as bytes and as folders.
import { createHash } from "node:crypto";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { packTar } from "modern-tar";
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
export const archiveOf = async (name: ArchiveName, engine: string): Promise<Buffer> => {
  const { "manifest.json": manifest = "", ...others } = files(name, engine);
  const all = {
    ...(name === "without-manifest" ? {} : { "manifest.json": manifest }),
    ...others,
    ...(name === "escaping" ? { "../outside.txt": "x" } : {}),
  };
  return Buffer.from(
    await packTar(
      Object.entries(all).map(([path, text]) => {
        const body = new TextEncoder().encode(text);
        const header = { name: path, size: body.length, mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 };
        return { header: { ...header, type: "file" as const }, body };
      }),
    ),
  );
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

/** The hash of an archive as engines carry it. */
export const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("base64");
