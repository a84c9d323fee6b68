import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync, type Stats } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { directoriesOf, foreignPart, isOpenToOthers, isOwnDirectory, isOwned, makeDirectory } from "./Directories.ts";

test("every system keeps files where it is used to", () => {
  expect(directoriesOf("linux", {}, "/home/ada")).toEqual({
    config: "/home/ada/.config/bytenite-engines",
    cache: "/home/ada/.cache/bytenite-engines",
  });
  expect(directoriesOf("darwin", {}, "/Users/ada")).toEqual({
    config: "/Users/ada/Library/Application Support/bytenite-engines",
    cache: "/Users/ada/Library/Caches/bytenite-engines",
  });
  const windows = {
    APPDATA: String.raw`C:\Users\ada\AppData\Roaming`,
    LOCALAPPDATA: String.raw`C:\Users\ada\AppData\Local`,
  };
  expect(directoriesOf("win32", windows, String.raw`C:\Users\ada`)).toEqual({
    config: String.raw`C:\Users\ada\AppData\Roaming\bytenite-engines`,
    cache: String.raw`C:\Users\ada\AppData\Local\bytenite-engines\Cache`,
  });
  expect(directoriesOf("win32", {}, String.raw`C:\Users\ada`).config).toBe(
    String.raw`C:\Users\ada\AppData\Roaming\bytenite-engines`,
  );
});

test("XDG wins on every system, unless it is relative", () => {
  const xdg = { XDG_CONFIG_HOME: "/x/config", XDG_CACHE_HOME: "/x/cache" };
  for (const platform of ["linux", "darwin"] as const) {
    expect(directoriesOf(platform, xdg, "/home/ada")).toEqual({
      config: "/x/config/bytenite-engines",
      cache: "/x/cache/bytenite-engines",
    });
  }
  expect(directoriesOf("linux", { XDG_CONFIG_HOME: "relative" }, "/home/ada").config).toBe(
    "/home/ada/.config/bytenite-engines",
  );
});

test("a name that somebody took between the look and the making is not an error; that there can be no directory is", () => {
  const folder = mkdtempSync(join(tmpdir(), "bne-directories-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  // A link to nothing is not there for the look, and is for the making.
  symlinkSync("nothing", join(folder, "taken"));
  expect(() => makeDirectory(join(folder, "taken"))).not.toThrow();
  writeFileSync(join(folder, "file"), "");
  expect(() => makeDirectory(join(folder, "file", "below"))).toThrow(/ENOTDIR/);
});

test("a directory is the user's own when it is or can be made, and nobody else can put something into it", () => {
  const folder = mkdtempSync(join(tmpdir(), "bne-directories-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  expect(isOwnDirectory(join(folder, "new", "deep"))).toBe(true);
  writeFileSync(join(folder, "file"), "");
  mkdirSync(join(folder, "open"));
  chmodSync(join(folder, "open"), 0o777);
  for (const name of ["file", "file/below", "open", "open/below"]) {
    expect([name, isOwnDirectory(join(folder, name))]).toEqual([name, false]);
  }
});

const open = (mode: number, isDirectory: boolean): boolean =>
  isOpenToOthers({ mode, isDirectory: () => isDirectory } as unknown as Stats);

test("what others can write is open to them, but for a directory where they replace nothing of others", () => {
  for (const [mode, file, directory] of [
    [0o755, false, false],
    [0o720, true, true],
    [0o702, true, true],
    [0o777, true, true],
    [0o1777, true, false],
    [0o1755, false, false],
  ] as const) {
    expect([mode, open(mode, false), open(mode, true)]).toEqual([mode, file, directory]);
  }
  expect([7, 0, 8].map((uid) => isOwned({ uid }, 7))).toEqual([true, true, false]);
  const own = process.getuid?.() ?? 0;
  expect([own, own + 1].map((uid) => isOwned({ uid }))).toEqual([true, false]);
});

test("the first part of a path by which others could lead it elsewhere is found, behind links too", () => {
  const folder = mkdtempSync(join(tmpdir(), "bne-directories-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "mine", "open", "below"), { recursive: true });
  chmodSync(join(folder, "mine", "open"), 0o777);
  symlinkSync(join(folder, "mine"), join(folder, "link"));
  symlinkSync(join(folder, "mine", "open"), join(folder, "way"));
  symlinkSync(join(folder, "loop-2"), join(folder, "loop-1"));
  symlinkSync(join(folder, "loop-1"), join(folder, "loop-2"));
  writeFileSync(join(folder, "file"), "");
  chmodSync(join(folder, "file"), 0o666);
  const found = (...path: ReadonlyArray<string>): string | undefined => foreignPart(join(folder, ...path))?.path;
  expect(found("mine")).toBeUndefined();
  expect(found("mine", "nothing", "x")).toBeUndefined();
  expect(found("mine", "open", "below")).toBe(join(folder, "mine", "open"));
  expect(found("link")).toBeUndefined();
  expect(found("link", "open")).toBe(join(folder, "link", "open"));
  expect(found("way")).toBe(join(folder, "mine", "open"));
  expect(found("loop-1")).toBeUndefined();
  // A file is judged by itself, when it is read.
  expect(found("file")).toBeUndefined();
});
