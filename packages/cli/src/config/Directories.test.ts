import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { directoriesOf, makeDirectory } from "./Directories.ts";

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
