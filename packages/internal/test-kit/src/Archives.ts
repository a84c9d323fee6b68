// Archives of engines, and their hashes.
import { createHash } from "node:crypto";
import { packTar } from "modern-tar";

/** The archive of a manifest (undefined: it has none) and other files, in a folder: the bytes that `bne push` makes of the same files. */
export const archiveOf = async (
  manifest: object | string | undefined,
  files: Readonly<Record<string, string | Uint8Array>> = { "app/main.py": "print()" },
  folder = "",
): Promise<Buffer> => {
  const first = typeof manifest === "object" ? JSON.stringify(manifest) : manifest;
  const all = { ...(first === undefined ? {} : { "manifest.json": first }), ...files };
  const entries = Object.entries(all).map(([name, content]) => {
    const body = Buffer.from(content);
    const header = { name: folder + name, size: body.length, mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 };
    return { header: { ...header, type: "file" as const }, body };
  });
  return Buffer.from(await packTar(entries));
};

/** The hash of an archive as engines carry it. */
export const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("base64");
