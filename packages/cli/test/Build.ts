// Build of bne before the tests.
import { spawnSync } from "node:child_process";
import { existsSync, globSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const packages = fileURLToPath(new URL("../..", import.meta.url));

const newestMs = (): number => {
  const sources = globSync(["{cli,core,proto,registry}/src/**/*.ts", "cli/scripts/*.ts"], { cwd: packages });
  return Math.max(
    ...sources.filter((path) => !path.endsWith(".test.ts")).map((path) => statSync(`${packages}${path}`).mtimeMs),
  );
};

export const setup = (): void => {
  // `pnpm test` has built everything; dates of files say nothing after `pnpm generate`, and other tests pack what is built.
  if (process.env["PACKAGES_BUILT"] === "1") return;
  const built = `${root}dist/main.js`;
  if (existsSync(built) && statSync(built).mtimeMs >= newestMs()) return;
  const { status, stderr } = spawnSync(process.execPath, ["scripts/build.ts"], { cwd: root, encoding: "utf8" });
  if (status !== 0) throw new Error(`the build failed:\n${stderr}`);
};
