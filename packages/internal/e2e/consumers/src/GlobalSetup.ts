// Packed and installed packages, once for all tests.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { installProject, managers, type Manager } from "./InstalledProject.ts";
import { packAll, published } from "./Tarballs.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The folder of the project that each package manager has installed. */
    readonly projects: Readonly<Record<Manager, string>>;
    /** The tarballs of the packages, by full name. */
    readonly tarballs: Readonly<Record<string, string>>;
  }
}

export default async (project: TestProject): Promise<() => void> => {
  const unbuilt = published.filter(
    (name) => !existsSync(fileURLToPath(new URL(`../../../../${name}/dist`, import.meta.url))),
  );
  if (unbuilt.length > 0) throw new Error(`Not built yet: ${unbuilt.join(", ")}. Run \`pnpm build\` first.`);
  const folder = mkdtempSync(join(tmpdir(), "consumers-"));
  const tarballs = join(folder, "tarballs");
  mkdirSync(tarballs);
  const projects = { npm: join(folder, "npm"), pnpm: join(folder, "pnpm") };
  try {
    const packed = await packAll(tarballs);
    await Promise.all(managers.map((manager) => installProject(manager, projects[manager], packed)));
    project.provide("tarballs", packed);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  project.provide("projects", projects);
  return () => rmSync(folder, { recursive: true, force: true });
};
