// Collects the licence texts of the packages that a bundle contains.
import { readdirSync, readFileSync } from "node:fs";

/** The directory of the package that a module belongs to. */
const packageOf = (id: string): string | undefined => /^[^\0].*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(id)?.[0];

/** The comment before a file's first code, when it speaks of a copyright: some packages bring their licence there only. */
const noticeOf = (path: string): string | undefined => {
  const comment = /^(?:\/\/.*\n)+/.exec(readFileSync(path, "utf8"))?.[0];
  return comment !== undefined && /copyright/i.test(comment) ? comment.replaceAll(/^\/\/ ?/gm, "").trim() : undefined;
};

/** The texts of all packages from which modules come, and the text of Apache-2.0. Throws when a package brings none. */
export const licencesOf = (modules: ReadonlyArray<string>, apache: string): string => {
  const packages = Map.groupBy(
    modules.filter((id) => packageOf(id) !== undefined),
    (id) => packageOf(id) ?? "",
  );
  const texts = [...packages].map(([directory, ids]) => {
    const { name, version, license } = JSON.parse(readFileSync(`${directory}/package.json`, "utf8")) as Record<
      "name" | "version" | "license",
      string
    >;
    const files = readdirSync(directory).filter((file) => /^(licen[cs]e|notice)/i.test(file));
    const bodies = new Set(files.map((file) => readFileSync(`${directory}/${file}`, "utf8").trim()));
    if (files.length === 0) for (const id of ids) bodies.add(noticeOf(id) ?? "");
    bodies.delete("");
    // Some under Apache-2.0 bring no text: it stands below for all of them.
    if (bodies.size === 0 && license !== "Apache-2.0") throw new Error(`${name} brings no licence text`);
    return [`${name} ${version}: ${license}`, ...bodies].join("\n\n");
  });
  return `bne contains code of these packages.\n\n${[...texts.toSorted(), apache.trim()].join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
};
