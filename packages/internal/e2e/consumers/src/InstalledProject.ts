// Consumer projects with the tarballs installed by npm or pnpm.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ran } from "./Ran.ts";

/** The package managers that consumers use. pnpm lets a package see only what it says it depends on. */
export const managers = ["npm", "pnpm"] as const;
export type Manager = (typeof managers)[number];

/** Makes a project in a new folder and installs the tarballs. What their dependencies need comes from the registry. */
export const installProject = async (
  manager: Manager,
  folder: string,
  tarballs: Readonly<Record<string, string>>,
): Promise<void> => {
  mkdirSync(folder, { recursive: true });
  cpSync(fileURLToPath(new URL("../projects", import.meta.url)), folder, { recursive: true });
  const files = Object.fromEntries(Object.entries(tarballs).map(([name, path]) => [name, `file:${path}`]));
  const dependencies = { ...files, "@types/node": pinned("@types/node"), effect: pinned("effect") };
  write(folder, "package.json", { name: "consumer", private: true, type: "module", dependencies });
  if (manager === "npm") {
    await ran("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"], folder);
  } else {
    // Overrides name the tarballs of packages that are in no registry yet. Without hoisting a package sees what
    // it depends on and nothing else. JSON is YAML.
    const settings = { overrides: files, hoist: false, allowBuilds: { "@scarf/scarf": false } };
    write(folder, "pnpm-workspace.yaml", settings);
    await ran("npx", ["-y", "pnpm@12", "install", "--prefer-offline", "--ignore-scripts"], folder);
  }
};

/**
 * Makes a project for npm with core, what it depends on of ours, and these versions of other packages; without some that npm would add since
 * they are peers.
 */
export const installWith = async (
  folder: string,
  tarballs: Readonly<Record<string, string>>,
  versions: Readonly<Record<string, string>>,
  without: ReadonlyArray<string>,
): Promise<void> => {
  cpSync(fileURLToPath(new URL("../projects", import.meta.url)), folder, { recursive: true });
  const ours = ["core", "http-cache", "proto"].map((name) => [
    `@bytenite-engines/${name}`,
    `file:${tarballs[`@bytenite-engines/${name}`] ?? ""}`,
  ]);
  const dependencies = { ...Object.fromEntries(ours), "@types/node": pinned("@types/node"), ...versions };
  write(folder, "package.json", { name: "consumer", private: true, type: "module", dependencies });
  const peers = without.length > 0 ? ["--legacy-peer-deps"] : [];
  await ran("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", ...peers], folder);
};

const write = (folder: string, name: string, value: unknown): void =>
  writeFileSync(join(folder, name), JSON.stringify(value, undefined, 2));

/** The version of a dependency that this repository pins. */
const pinned = (name: string): string => {
  const catalog = readFileSync(new URL("../../../../../pnpm-workspace.yaml", import.meta.url), "utf8");
  const version = new RegExp(`^ {2}"?${name}"?: (\\S+)$`, "m").exec(catalog)?.[1];
  if (version === undefined) throw new Error(`${name} is not in the catalog of pnpm-workspace.yaml`);
  return version;
};
