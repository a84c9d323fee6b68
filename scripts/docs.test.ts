// Files and commands that the documents name.
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

const documents = globSync(["*.md", "packages/*/README.md", "packages/internal/*/**/README.md", "apps/*/README.md"], {
  cwd: root,
}).toSorted();

const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly scripts: Readonly<Record<string, string>>;
};

/** pnpm's own commands that the documents use. */
const ownVerbs = new Set(["exec", "install"]);

test.for(documents)("every file and folder that %s names exists", (document) => {
  const text = readFileSync(join(root, document), "utf8");
  const links = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => join(dirname(document), target));
  const paths = [...text.matchAll(/`((?:packages|apps|proto|scripts|\.ci|\.changeset)\/[^`\s]*)`/g)].map(
    ([, path = ""]) => path,
  );
  const missing = [...links, ...paths].filter((path) =>
    /[*{]/.test(path) ? globSync(path, { cwd: root }).length === 0 : !existsSync(join(root, path)),
  );
  expect(missing).toEqual([]);
});

test.for(documents)("every command that %s names exists", (document) => {
  const text = readFileSync(join(root, document), "utf8");
  const verbs = [...text.matchAll(/(?:`|npx -y )pnpm(?:@12)? ([a-z-]+)/g)].map(([, verb = ""]) => verb);
  expect(verbs.filter((verb) => !Object.hasOwn(scripts, verb) && !ownVerbs.has(verb))).toEqual([]);
});

test("every file that a command runs exists", () => {
  const files = Object.values(scripts).flatMap((command) => command.match(/\S+\.(?:ts|js)\b/g) ?? []);
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
});
