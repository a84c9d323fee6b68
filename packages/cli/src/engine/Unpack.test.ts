import { gzipSync } from "node:zlib";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packTar } from "modern-tar";
import { expect, onTestFinished, test } from "vitest";
import { unpacked, type ArchivedFile } from "./Archive.ts";
import { writeFiles } from "./Unpack.ts";

const makeRoot = (): string => {
  const root = mkdtempSync(join(tmpdir(), "bne-unpack-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  return root;
};

const openFiles = (): number => (existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0);

const { signal } = new AbortController();
const file = (path: string, isExecutable = false): ArchivedFile => {
  const content = Buffer.from(`of ${path}`);
  return { path, bytes: content.length, isExecutable, content };
};
const named = (...paths: ReadonlyArray<string>): ReadonlyArray<ArchivedFile> => paths.map((path) => file(path));

test("files are written below a folder that is made, with their mode, and nothing else is left", async () => {
  const root = makeRoot();
  const folder = join(root, "new", "deep");
  const before = openFiles();
  await writeFiles(folder, [file("a/b/run.sh", true), file("a/x.txt")], false, signal);
  expect(openFiles()).toBe(before);
  expect(readFileSync(join(folder, "a/b/run.sh"), "utf8")).toBe("of a/b/run.sh");
  expect(statSync(join(folder, "a/b/run.sh")).mode & 0o111).not.toBe(0);
  expect(statSync(join(folder, "a/x.txt")).mode & 0o111).toBe(0);
  expect(readdirSync(join(root, "new"))).toEqual(["deep"]);
  // Beside what is there, and through a link that the user has named.
  symlinkSync(folder, join(root, "link"));
  await writeFiles(join(root, "link"), named("a/y.txt", "c/z.txt"), false, signal);
  expect(readdirSync(folder, { recursive: true }).map(String).toSorted()).toEqual([
    "a",
    "a/b",
    "a/b/run.sh",
    "a/x.txt",
    "a/y.txt",
    "c",
    "c/z.txt",
  ]);
});

test("what stands in the way is named, at most five files of it, and nothing is written", async () => {
  const root = makeRoot();
  const folder = join(root, "taken");
  mkdirSync(join(folder, "dir"), { recursive: true });
  mkdirSync(join(folder, "way"));
  for (const name of ["1", "2", "3", "4", "5", "6", "way/plain"]) writeFileSync(join(folder, name), "old");
  symlinkSync(root, join(folder, "out"));
  for (const [paths, problem] of [
    [["1", "9"], "taken has 1 already"],
    [["1", "2", "3", "4", "5"], "taken has 1, 2, 3, 4, 5 already"],
    [["1", "2", "3", "4", "5", "6"], "taken has 1, 2, 3, 4, 5 and 1 more already"],
    [["9", "dir"], "taken/dir is a folder"],
    [["1/below"], "taken/1 is a file, not a folder"],
    [["1/below/deep"], "taken/1 is a file, not a folder"],
    [["way/plain/below"], "taken/way/plain is a file, not a folder"],
    [["out/x"], "taken/out is a link, not a folder"],
    [["way/new/x", "out/deep/x"], "taken/out is a link, not a folder"],
  ] as const) {
    await expect(writeFiles(folder, named(...paths), false, signal)).rejects.toThrow(
      `Nothing was written: ${root}/${problem}`,
    );
  }
  await expect(writeFiles(join(folder, "1"), named("x"), true, signal)).rejects.toThrow(`${folder}/1 is a file`);
  expect(existsSync(join(folder, "9"))).toBe(false);
  await writeFiles(folder, named("1", "way/new/x"), true, signal);
  expect([readFileSync(join(folder, "1"), "utf8"), readFileSync(join(folder, "2"), "utf8")]).toEqual(["of 1", "old"]);
  await expect(writeFiles(join(folder, "2", "below"), named("x"), false, signal)).rejects.toThrow(
    `Cannot write below ${folder}/2/below: a part of the path is not a directory`,
  );
});

/** The paths of an archive as they are unpacked. */
const paths = async (...names: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const archive = await packTar(names.map((name) => ({ header: { name, size: 1, mtime: new Date(0) }, body: "x" })));
  return (await unpacked(archive)).map(({ path }) => path);
};

test("a folder around everything goes where the manifest lies in it, and only then", async () => {
  expect(await paths("m/manifest.json", "m/app/main.py")).toEqual(["manifest.json", "app/main.py"]);
  expect(await paths("m/app/main.py", "m/manifest.json")).toEqual(["app/main.py", "manifest.json"]);
  for (const names of [
    ["manifest.json", "m/manifest.json"],
    ["m/manifest.json", "n/main.py"],
    ["m/manifest.json", "main.py"],
    ["main.py", "m/manifest.json"],
    ["m/app/main.py", "m/app/manifest.json"],
    ["m/main.py"],
    ["main.py"],
  ]) {
    expect(await paths(...names)).toEqual(names);
  }
  await expect(unpacked(Buffer.from("no archive"))).rejects.toThrow("The archive is not unpacked: ");
  const withFolder = await packTar([
    { header: { name: "m/", type: "directory", size: 0 } },
    { header: { name: "m/manifest.json", size: 1 }, body: "x" },
  ]);
  expect((await unpacked(withFolder)).map(({ path }) => path)).toEqual(["manifest.json"]);
  const [big] = await unpacked(
    gzipSync(
      await packTar([{ header: { name: "big", size: 3_000_000, mode: 0o755 }, body: Buffer.alloc(3_000_000, "y") }]),
    ),
  );
  expect({ ...big, content: Buffer.from(big?.content ?? []).equals(Buffer.alloc(3_000_000, "y")) }).toMatchObject({
    path: "big",
    bytes: 3_000_000,
    isExecutable: true,
    content: true,
  });
});
