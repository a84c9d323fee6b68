import { archiveLimits, maxManifestBytes } from "@bytenite-engines/registry/archive";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { contentOf, readEngineFolder, type EngineFolder } from "./EngineFolder.ts";

const manifest = JSON.stringify({ name: "mine", version: "0.1", type: "partitioner", entrypoint: "main.py" });
const whole = { "manifest.json": manifest, "app/main.py": "x" };

/** A folder with these files, and what is read of it. */
const folderOf = (
  files: Readonly<Record<string, string | Uint8Array>>,
): { readonly path: string; readonly read: () => EngineFolder } => {
  const path = mkdtempSync(join(tmpdir(), "bne-folder-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return { path, read: () => readEngineFolder(path, "shown") };
};
const problemsOf = (files: Readonly<Record<string, string | Uint8Array>>): ReadonlyArray<string> =>
  folderOf(files)
    .read()
    .problems.map(({ severity, place, problem }) => `${severity} ${place}: ${problem}`);

test("files are listed in the order of their bytes, the manifest first, with what their owner may do", () => {
  const { path, read } = folderOf({
    ...whole,
    "a.txt": "ab",
    "app/run.sh": "",
    "B.txt": "",
    "é.txt": "",
    node_modules: "",
    ".git/x": "",
  });
  chmodSync(join(path, "app/run.sh"), 0o744);
  chmodSync(join(path, "a.txt"), 0o611);
  const { files, tag, problems } = read();
  expect({ tag, problems }).toEqual({ tag: "mine@0.1", problems: [] });
  expect(files.map((file) => [file.path, file.bytes, file.isExecutable])).toEqual([
    ["manifest.json", manifest.length, false],
    ["B.txt", 0, false],
    ["a.txt", 2, false],
    ["app/main.py", 1, false],
    ["app/run.sh", 0, true],
    // The rule is for folders.
    ["node_modules", 0, false],
    ["é.txt", 0, false],
  ]);
});

const openFiles = (): number => (existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0);

/** Folders with a manifest each. */
const below = (...names: ReadonlyArray<string>): Readonly<Record<string, string>> =>
  Object.fromEntries(names.map((name) => [`${name}/manifest.json`, "{}"]));

test("a folder without a manifest is refused, with where one is", () => {
  for (const [files, hint] of [
    [{ "x/y.txt": "" }, "`bne new NAME` makes a folder with one; `bne help manifests` says what is in it."],
    [{ "y.txt": "", ...below("a") }, "There is one in shown/a."],
    [below("a", "b", "c", "d"), "There is one in shown/a, shown/b, shown/c."],
    [{ "Manifest.JSON": "{}", ...below("a") }, "Rename Manifest.JSON to manifest.json."],
  ] as const) {
    const message = "There is no manifest.json in shown";
    expect(folderOf(files).read).toThrow(expect.objectContaining({ message, hint }) as Error);
  }
  expect(() => readEngineFolder("/nowhere/at/all", "shown")).toThrow("Cannot read the folder shown: it does not exist");
  const { path } = folderOf(whole);
  expect(() => readEngineFolder(join(path, "app/main.py"), "shown")).toThrow("shown is not a folder");
});

/** The files that are left of a folder with notes. */
const filesBeside = (ignored: string): ReadonlyArray<string> =>
  folderOf({ ...whole, "notes.md": "", ".bneignore": ignored })
    .read()
    .files.map(({ path }) => path);

test("a .bneignore is read to its end or not at all, with a byte order mark or without", () => {
  const kept = [".bneignore", "app/main.py"];
  expect(filesBeside("")).toEqual(["manifest.json", ...kept, "notes.md"]);
  expect(filesBeside("\ufeff*.md\nmanifest.json\n")).toEqual(["manifest.json", ...kept]);
  expect(filesBeside("*.md".padStart(65_536, "#\n"))).toEqual(["manifest.json", ...kept]);
  expect(() => filesBeside("*.md".padStart(65_537, "#\n"))).toThrow(
    `Cannot read ${join("shown", ".bneignore")}: it is larger than 65536 bytes`,
  );
});

test("what is no file, or too much, is an error", () => {
  const { path, read } = folderOf(whole);
  symlinkSync("app/main.py", join(path, "link"));
  spawnSync("mkfifo", [join(path, "pipe")]);
  const advice = "an archive holds files only. Copy it, or name it in .bneignore.";
  expect(read().problems).toEqual([
    { severity: "error", place: "link", problem: `is a link; ${advice}` },
    { severity: "error", place: "pipe", problem: `is no regular file; ${advice}` },
  ]);
  const { unpackedBytes } = archiveLimits;
  const large = folderOf(whole);
  truncateSync(join(large.path, "app/main.py"), unpackedBytes - manifest.length);
  expect(large.read().problems).toEqual([]);
  truncateSync(join(large.path, "app/main.py"), unpackedBytes - manifest.length + 1);
  expect(large.read().problems).toEqual([
    {
      severity: "error",
      place: ".",
      problem: `holds ${unpackedBytes + 1} bytes; ${unpackedBytes} are the most. Name what is not needed in .bneignore.`,
    },
  ]);
});

test("a folder holds as many files as an archive, and each that is read is closed", () => {
  const { path, read } = folderOf(whole);
  // Whose names alone say what they are, so that they are not read.
  for (let index = 2; index < archiveLimits.entries; index++) writeFileSync(join(path, `${index}.p12`), "");
  const before = openFiles();
  expect(read().files).toHaveLength(archiveLimits.entries);
  expect(openFiles()).toBe(before);
  writeFileSync(join(path, "more.txt"), "");
  expect(read).toThrow(`There are more than ${archiveLimits.entries} files in ${path}`);
});

test("a manifest that cannot be read is an error, what is odd in one a warning", () => {
  const odd = (text: string | Uint8Array): ReadonlyArray<string> => problemsOf({ ...whole, "manifest.json": text });
  expect(odd(manifest.padEnd(maxManifestBytes / 4))).toEqual([]);
  const large = folderOf(whole);
  truncateSync(join(large.path, "manifest.json"), maxManifestBytes + 1);
  expect(large.read()).toMatchObject({
    tag: undefined,
    problems: [{ severity: "error", place: "manifest.json", problem: `is larger than ${maxManifestBytes} bytes` }],
  });
  truncateSync(join(large.path, "manifest.json"), maxManifestBytes);
  expect(large.read().problems[0]?.problem).not.toContain("larger than");
  expect(odd(Buffer.from([0x7b, 0xff, 0x7d]))).toEqual(["error manifest.json: is not UTF-8"]);
  expect(odd(`\ufeff${manifest}`)).toEqual([]);
  expect(odd(`{"name": "mine",\n "version": "x"}`)[0]).toMatch(/^error manifest\.json:2:13: version /);
  const typed = (more: object): ReadonlyArray<string> => odd(JSON.stringify({ ...JSON.parse(manifest), ...more }));
  expect(typed({ type: "assembler" })).toEqual([]);
  expect(typed({ type: "odd" })).toEqual(['warning manifest.json: type is "odd"; partitioner and assembler are known']);
  expect(typed({ type: "partitoner" })).toEqual([
    'warning manifest.json: type is "partitoner"; partitioner and assembler are known. Did you mean partitioner?',
  ]);
  expect(typed({ entrypoint: "run.py" })).toEqual([
    "warning app/run.py: is missing: it is the entrypoint, which is started first",
  ]);
  expect(typed({ platform_config: { token: "" } })).toEqual([]);
  expect(typed({ platform_config: { token: "t" } })).toEqual([
    "warning manifest.json: carries platform_config.token: whoever may download the archive can read it",
  ]);
});

test("secrets are looked for in names, and in the first 1,048,576 bytes of files", () => {
  const token = `ghp_${"a".repeat(36)}`;
  const at = (end: number): ReadonlyArray<string> =>
    problemsOf({ ...whole, "app/long.txt": `${" ".repeat(end - token.length)}${token} more` });
  const advice = "whoever may download the archive can read it. Name it in .bneignore if that is not meant.";
  expect(at(1_048_576)).toEqual([`warning app/long.txt: holds a token of GitHub: ${advice}`]);
  expect(at(1_048_577)).toEqual([]);
  expect(problemsOf({ ...whole, ".env": "", "app/.env.example": "", "app/id_rsa": "" })).toEqual([
    `warning .env: looks like a file of secrets: ${advice}`,
    `warning app/id_rsa: looks like a private SSH key: ${advice}`,
  ]);
});

test("a file that became another one is not packed", () => {
  const { path, read } = folderOf({ ...whole, "a.txt": "ab", "empty.txt": "" });
  const folder = read();
  const packed = (name: string): Buffer => {
    const file = folder.files.find(({ path }) => path === name);
    return file === undefined ? Buffer.from("none") : contentOf(folder, file);
  };
  expect(packed("a.txt").toString()).toBe("ab");
  for (const content of ["a", "abc"]) {
    writeFileSync(join(path, "a.txt"), content);
    expect(() => packed("a.txt")).toThrow(`${join(path, "a.txt")} changed while it was read`);
  }
  rmSync(join(path, "a.txt"));
  expect(() => packed("a.txt")).toThrow(`Cannot read ${join(path, "a.txt")}: it does not exist`);
  spawnSync("mkfifo", [join(path, "a.txt")]);
  expect(() => packed("a.txt")).toThrow("changed while it was read");
  rmSync(join(path, "empty.txt"));
  symlinkSync("/dev/null", join(path, "empty.txt"));
  expect(() => packed("empty.txt")).toThrow("Cannot read");
});
