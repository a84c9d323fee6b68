// bne installed from its tarball.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { makeHome } from "./Bne.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));

test("the installed registry serves its page and the files of the page, logged", { timeout: 240_000 }, async () => {
  using home = makeHome();
  const [tarballs, project] = ["tarballs", "project"].map((name) => join(home.path, name)) as [string, string];
  mkdirSync(tarballs);
  mkdirSync(project);
  await run("npx", ["-y", "pnpm@12", "pack", "--pack-destination", tarballs], { cwd: root });
  const [tarball = ""] = readdirSync(tarballs);
  writeFileSync(join(project, "package.json"), '{"name":"elsewhere","private":true}');
  const flags = ["--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional"];
  await run("npm", ["install", ...flags, join(tarballs, tarball)], { cwd: project });
  const log = join(home.path, "access.log");
  const bin = join(project, "node_modules/@bytenite-engines/cli/bin/bne.js");
  const args = [bin, "registry", "serve", "--port", "0", "--access-log", log];
  const child = spawn(process.execPath, args, { cwd: home.path, env: home.env, stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [ready] = (await once(child.stdout, "data")) as [Buffer];
    const origin = /^ready (\S+)/.exec(ready.toString())?.[1] ?? "";
    for (const [path, type, holds] of [
      ["/docs", "text/html", "swagger-ui-bundle.js"],
      ["/docs/swagger-ui.css", "text/css", ".swagger-ui"],
      ["/docs/swagger-ui-bundle.js", "text/javascript", "SwaggerUIBundle"],
      ["/docs/start.js", "text/javascript", "SwaggerUIBundle"],
    ] as const) {
      const answer = await fetch(origin + path);
      expect([path, answer.status, answer.headers.get("content-type")?.startsWith(type)]).toEqual([path, 200, true]);
      expect(await answer.text()).toContain(holds);
    }
  } finally {
    child.kill("SIGTERM");
    await once(child, "close");
  }
  expect(readFileSync(log, "utf8").trim().split("\n")).toHaveLength(4);
});

test(
  "installed globally by npm there are the command and its man pages, in a tarball of less than 5 MB",
  { timeout: 240_000 },
  async () => {
    using home = makeHome();
    const tarballs = join(home.path, "tarballs");
    mkdirSync(tarballs);
    await run("npx", ["-y", "pnpm@12", "pack", "--pack-destination", tarballs], { cwd: root });
    const [tarball = ""] = readdirSync(tarballs);
    expect(statSync(join(tarballs, tarball)).size).toBeLessThan(5_000_000);
    const prefix = join(home.path, "prefix");
    const flags = ["--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional"];
    await run("npm", ["install", "--global", "--prefix", prefix, ...flags, join(tarballs, tarball)], {
      cwd: home.path,
    });
    const { stdout } = await run(join(prefix, "bin", "bne"), ["--version"]);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(readdirSync(join(prefix, "share/man/man1"))).toEqual(expect.arrayContaining(["bne.1", "bne-auth-login.1"]));
    const modules = join(prefix, "lib/node_modules/@bytenite-engines/cli/node_modules");
    expect(readdirSync(modules).filter((name) => /swagger|scarf/.test(name))).toEqual([]);
  },
);
