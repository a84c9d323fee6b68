import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadSettings, type Settings, type SettingSources } from "./Settings.ts";

const textOf = (content: string | object): string => (typeof content === "string" ? content : JSON.stringify(content));

/** Settings of a run in a folder below a project, by the texts of both files. */
const load = async (
  user: string | object,
  project?: string | object,
  more: Partial<SettingSources> = {},
): Promise<{ readonly settings: Settings; readonly userFile: string; readonly projectFile: string }> => {
  const root = mkdtempSync(join(tmpdir(), "bne-settings-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const [userFile, projectFile, cwd] = [join(root, "config.json"), join(root, ".bne.json"), join(root, "a", "b")];
  mkdirSync(cwd, { recursive: true });
  writeFileSync(userFile, textOf(user), { mode: 0o600 });
  if (project !== undefined) writeFileSync(projectFile, textOf(project));
  return { settings: await loadSettings({ flags: {}, env: {}, cwd, userFile, ...more }), userFile, projectFile };
};

test("a flag wins over the environment, that over the project, that over the profile, that over the user's file", async () => {
  const user = {
    profile: "p",
    output: "yaml",
    attempts: 3,
    profiles: { p: { output: "csv", baseUrl: "https://p.example" } },
  };
  const given = { flags: { output: "name", deadline: 5_000 }, env: { BYTENITE_OUTPUT: "json", BYTENITE_ATTEMPTS: "" } };
  const { settings, userFile, projectFile } = await load(user, { output: "wide" }, given);
  const origins = async (more: Partial<SettingSources>, project?: object): Promise<ReadonlyArray<unknown>> => {
    const one = await load(user, project, more);
    const { text, kind, origin } = one.settings.of("output");
    return [text, kind, origin.replace(one.userFile, "USER").replace(one.projectFile, "PROJECT")];
  };
  expect(await origins(given, { output: "wide" })).toEqual(["name", "flag", "flag --output"]);
  expect(await origins({ env: given.env }, { output: "wide" })).toEqual(["json", "environment", "BYTENITE_OUTPUT"]);
  expect(await origins({}, { output: "wide" })).toEqual(["wide", "project", "PROJECT"]);
  expect(await origins({}, { output: "" })).toEqual(["csv", "profile", "profile p in USER"]);
  expect(await origins({ flags: { profile: "toString" } })).toEqual(["yaml", "user", "USER"]);
  expect(settings.of("deadline")).toEqual({ value: 5_000, text: "5000ms", kind: "flag", origin: "flag --deadline" });
  expect(settings.of("attempts")).toEqual({ value: 3, text: "3", kind: "user", origin: userFile });
  expect(settings.of("baseUrl")).toMatchObject({ text: "https://p.example", origin: `profile p in ${userFile}` });
  expect(settings.of("color")).toEqual({ value: "auto", text: "auto", kind: "default", origin: "default" });
  expect(settings.of("pager")).toEqual({ value: undefined, text: undefined, kind: "default", origin: "default" });
  expect(settings).toMatchObject({ profileName: "p", userFile, projectFile, warnings: [] });
  expect((await load(user)).settings.projectFile).toBeUndefined();
});

test("a profile names no other one", async () => {
  const { settings, userFile } = await load({ profile: "p", profiles: { p: { profile: "q", colour: "x" }, q: {} } });
  expect(settings.of("profile")).toMatchObject({ value: "p", kind: "user" });
  expect(settings.warnings).toEqual([
    `profile p in ${userFile}: "profile" has no effect there`,
    `profile p in ${userFile}: there is no setting "colour". Did you mean color?`,
  ]);
});

test("a project's file sets how things look, and what else it says is named once, five keys at most", async () => {
  const keys = ["pager", "baseUrl", "profiles", "\u001b", "k".repeat(101)];
  const project = Object.fromEntries([["$schema", "s"], ...keys.map((key) => [key, "x"]), ["color", "never"]]);
  const { settings, projectFile } = await load({}, project);
  const named = `${projectFile} may set output and color only; ignored: pager, baseUrl, profiles, \\u001b, ${"k".repeat(100)}`;
  const advice = "Set them with `bne config set` or `bne profile set`.";
  expect(settings.warnings).toEqual([`${named}. ${advice}`]);
  expect([settings.text("color"), settings.text("pager")]).toEqual(["never", undefined]);
  const more = await load({}, { ...project, more: "x" });
  expect(more.settings.warnings).toEqual([`${named.replace(projectFile, more.projectFile)}, 1 more. ${advice}`]);
});

test("a project's file that is broken or longer than 65,536 bytes is ignored as a whole", async () => {
  expect((await load({}, '{"output":"json"}'.padEnd(65_536))).settings.text("output")).toBe("json");
  for (const [project, problem] of [
    ['{"output":"json"}'.padEnd(65_537), "Cannot read FILE: it is larger than 65536 bytes"],
    ['{"color":"never","output":"jsn"}', "output from FILE: must be one of"],
    ["[]", "FILE:1:1: must be a JSON object"],
  ] as const) {
    const { settings, projectFile } = await load({}, project);
    expect([settings.text("output"), settings.text("color")]).toEqual(["table", "auto"]);
    const [warning = ""] = settings.warnings;
    expect(warning.replace(projectFile, "FILE").startsWith(problem)).toBe(true);
    expect(warning.endsWith("; the file is ignored")).toBe(true);
  }
});

test("profiles are objects, and a setting is a text or a number", async () => {
  for (const profiles of [1, [], { p: null }, { p: [] }, { p: {}, q: "x" }]) {
    await expect(load({ profiles })).rejects.toThrow('"profiles" must be an object of objects');
  }
  const { settings, userFile } = await load({ output: {}, colour: 1 });
  expect(() => settings.of("output")).toThrow(`output from ${userFile}: it must be a text`);
  expect(settings.warnings).toEqual([`${userFile}: there is no setting "colour". Did you mean color?`]);
});
