// Limits of archives, and the names that entries may have.

/** Bounds on what one archive can hold. */
export interface ArchiveLimits {
  /** Files and folders. */
  readonly entries: number;
  /** Bytes of the whole name of an entry, in UTF-8. */
  readonly nameBytes: number;
  /** Folders that an entry is in. */
  readonly depth: number;
  /** Bytes of an entry's metadata: PAX records, GNU long names. */
  readonly headerBytes: number;
  /** Bytes of the tar file, unpacked where the archive is gzip. */
  readonly unpackedBytes: number;
}

/** The limits when none are given. */
export const archiveLimits: ArchiveLimits = {
  entries: 10_000,
  nameBytes: 1_024,
  depth: 32,
  headerBytes: 16 * 1_024,
  unpackedBytes: 256 * 1_024 * 1_024,
};

/** Bytes of one part of a name: what common file systems take. */
const partBytes = 255;

const utf8 = new TextEncoder();

/** A name as it is compared: `./` in front and `/` at the end mean nothing. Empty for the root. */
export const cleanPath = (name: string): string =>
  name
    .replace(/^(?:\.\/+)+/, "")
    .replace(/\/+$/, "")
    .replace(/^\.$/, "");

/** What is wrong with the name of an entry, or undefined. Such a name leads out of a folder, or means another file elsewhere. */
export const pathProblem = (name: string, limits: ArchiveLimits = archiveLimits): string | undefined => {
  if (utf8.encode(name).length > limits.nameBytes) return `its name is longer than ${limits.nameBytes} bytes`;
  if (/\p{Cc}/u.test(name)) return "its name has a control character";
  if (name.includes("\u{FFFD}") || !name.isWellFormed()) return "its name is not UTF-8";
  if (name.includes("\\")) return "its name has a backslash";
  if (name.startsWith("/") || /^[A-Za-z]:/.test(name)) return "its name is an absolute path";
  const path = cleanPath(name);
  if (path === "") return undefined;
  const parts = path.split("/");
  if (parts.includes("..")) return 'its name has ".."';
  if (parts.includes(".") || parts.includes("")) return "its name has an empty part";
  if (parts.some((part) => /[. ]$/.test(part))) return "its name has a part that ends with a dot or a space";
  if (parts.length > limits.depth) return `it is in more than ${limits.depth} folders`;
  if (parts.some((part) => utf8.encode(part).length > partBytes)) {
    return `its name has a part that is longer than ${partBytes} bytes`;
  }
  return undefined;
};

/** Names that a file system may take for one: they differ in case, or in how Unicode writes the same letters. */
const folded = (path: string): string => path.normalize("NFKC").toUpperCase().toLowerCase().normalize("NFKC");

/**
 * A check of all entries of one archive, in their order: what is wrong with the next one, or undefined. Refuses two entries of
 * one name, folders whose names differ in case only, and files that are folders as well.
 */
export const makePathCheck = (
  limits: ArchiveLimits = archiveLimits,
): ((path: string, type: "file" | "directory") => string | undefined) => {
  const known = new Map<string, { readonly path: string; readonly type: "file" | "directory" }>();
  return (path, type) => {
    const problem = pathProblem(path, limits);
    if (problem !== undefined) return problem;
    const parts = path.split("/");
    for (let length = 1; length <= parts.length; length++) {
      const isWhole = length === parts.length;
      const here = parts.slice(0, length).join("/");
      const before = known.get(folded(here));
      const what = isWhole ? type : "directory";
      if (before === undefined) known.set(folded(here), { path: here, type: what });
      else if (before.path !== here)
        return `it is the same as ${JSON.stringify(before.path)} where case and Unicode form do not count`;
      else if (before.type !== what) return `${JSON.stringify(here)} is both a file and a folder`;
      else if (isWhole && type === "file") return "it is there twice";
    }
    return undefined;
  };
};
