import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import {
  assertBound,
  credentialsFile,
  credentialsOf,
  isLocal,
  loadSecret,
  parseSecret,
  removeSecret,
  storeSecret,
} from "./Credentials.ts";
import {
  assertProfile,
  assertProfileName,
  loadSettings,
  profileNames,
  unknownKeys,
  type Settings,
} from "./Settings.ts";
import { assertLasting, readSetting, settingOf } from "./Setting.ts";

test("a stored secret has all of its parts, or is none", () => {
  const whole = { kind: "token", secret: "s", baseUrl: "https://a.example" };
  expect(parseSecret(JSON.stringify(whole))).toEqual(whole);
  expect(parseSecret(JSON.stringify({ ...whole, kind: "api-key", authUrl: "https://b", more: 1 }))).toEqual({
    ...whole,
    kind: "api-key",
    authUrl: "https://b",
  });
  expect(parseSecret(JSON.stringify({ ...whole, authUrl: 1 }))).toEqual(whole);
  for (const change of [{ kind: "x" }, { kind: undefined }, { secret: 1 }, { baseUrl: null }]) {
    expect(parseSecret(JSON.stringify({ ...whole, ...change }))).toBeUndefined();
  }
  expect(parseSecret("{")).toBeUndefined();
  expect(parseSecret("null")).toBeUndefined();
});

test("a secret is bound to its origin", () => {
  const secret = { kind: "token", secret: "s", baseUrl: "https://a.example/v1/dev" } as const;
  expect(() => assertBound(secret, "https://a.example/other", "p")).not.toThrow();
  for (const target of ["http://a.example/", "https://a.example:8443/", "https://b.example/"]) {
    expect(() => assertBound(secret, target, "p")).toThrow(
      `The credentials of profile p are for https://a.example, not for ${new URL(target).origin}, so they are not sent there`,
    );
  }
  expect(["http://127.0.0.1:1/", "http://localhost/", "http://[::1]/", "http://a.example/"].map(isLocal)).toEqual([
    true,
    true,
    true,
    false,
  ]);
});

/** Settings of runs with one file of their own, by the profile and the base URL that are given. */
const runs = (): ((profile: string, baseUrl?: string) => Promise<Settings>) => {
  const folder = mkdtempSync(join(tmpdir(), "bne-credentials-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return (profile, baseUrl) =>
    loadSettings({
      flags: { profile, ...(baseUrl === undefined ? {} : { "base-url": baseUrl }) },
      env: {},
      cwd: folder,
      userFile: join(folder, "config.json"),
    });
};
const noInput = async (): Promise<string> => "";

const key = {
  kind: "api-key",
  secret: "k",
  baseUrl: "https://b.example",
  authUrl: "https://auth.example/x",
} as const;

test("secrets of profiles are in one file, and what is known of them in the other", async () => {
  const settings = runs();
  const one = await settings("one");
  const path = credentialsFile(one.userFile);
  const token = { kind: "token", secret: "s", baseUrl: "https://a.example/v1" } as const;
  expect(await removeSecret(one, "one")).toBe("none");
  expect(await loadSecret(one)).toBeUndefined();
  expect(await storeSecret(one, token, false)).toEqual({ place: "file", where: path });
  expect(await storeSecret(await settings("two"), key, false)).toEqual({ place: "file", where: path });
  expect(readFileSync(path, "utf8")).toBe(`${JSON.stringify({ one: token, two: key }, null, 2)}\n`);
  const known = { baseUrl: "https://a.example/v1", credentials: "file", kind: "token" };
  expect(JSON.parse(readFileSync(one.userFile, "utf8"))).toEqual({
    profiles: { one: known, two: { baseUrl: "https://b.example", credentials: "file", kind: "api-key" } },
  });
  expect(await loadSecret(await settings("two"))).toEqual({ secret: key, place: "file", where: path });
  expect(await removeSecret(await settings("two"), "two")).toBe("removed");
  expect(readFileSync(path, "utf8")).toBe(`${JSON.stringify({ one: token }, null, 2)}\n`);
  expect(await loadSecret(await settings("two"))).toBeUndefined();
  expect(await removeSecret(await settings("one"), "one")).toBe("removed");
  expect(existsSync(path)).toBe(false);
  expect(JSON.parse(readFileSync(one.userFile, "utf8"))).toEqual({
    profiles: { one: { baseUrl: "https://a.example/v1" }, two: { baseUrl: "https://b.example" } },
  });
  await expect(storeSecret({ ...one, profileName: "-x" }, token, false)).rejects.toThrow("is not a name for a profile");
});

test("a stored API key is exchanged at its own origin, or where was said when it was stored", async () => {
  const settings = runs();
  await storeSecret(await settings("two"), key, false);
  const found = async (authUrl: string | undefined, kind: "api-key" | "token" = "api-key") => {
    await storeSecret(await settings("two"), { ...key, kind }, false);
    const run = await settings("two");
    const text = (name: string): string | undefined => (name === "authUrl" ? authUrl : run.text(name));
    return credentialsOf({ ...run, text }, {}, {}, noInput);
  };
  for (const [authUrl, used] of [
    [undefined, "https://auth.example/x"],
    ["https://auth.example/y", "https://auth.example/y"],
    ["https://b.example/z", "https://b.example/z"],
  ] as const) {
    expect(await found(authUrl)).toMatchObject({ kind: "api-key", secret: "k", authUrl: used });
  }
  await expect(found("https://c.example/x")).rejects.toThrow(
    "The API key of profile two was not stored for https://c.example, so it is not sent there",
  );
  expect(await found("https://c.example/x", "token")).toMatchObject({ kind: "token", secret: "k" });
  await expect(credentialsOf(await settings("two", "https://c.example"), {}, {}, noInput)).rejects.toThrow(
    "The credentials of profile two are for https://b.example, not for https://c.example",
  );
});

test("credentials are those of the flag, of the environment, or stored ones", async () => {
  const settings = await runs()("one");
  const given = (flags: Parameters<typeof credentialsOf>[1], env: Record<string, string>, input = "") =>
    credentialsOf(settings, flags, env, async () => input);
  const both = { BYTENITE_TOKEN: " t\n", BYTENITE_API_KEY: "k" };
  expect(await given({ token: "x" }, both)).toMatchObject({ kind: "token", secret: "x", origin: "flag --token" });
  expect(await given({ token: "-" }, both, "y")).toMatchObject({ kind: "token", secret: "y", origin: "flag --token" });
  expect(await given({}, both)).toMatchObject({ kind: "token", secret: "t", origin: "BYTENITE_TOKEN" });
  expect(await given({}, { ...both, BYTENITE_TOKEN: " " })).toMatchObject({
    kind: "api-key",
    secret: "k",
    origin: "BYTENITE_API_KEY",
  });
  expect(await given({}, {})).toBeUndefined();
  await expect(given({ token: "-" }, {}, " ")).rejects.toThrow("--token is empty");
  await expect(given({}, { BYTENITE_TOKEN: "a\nb" })).rejects.toThrow("BYTENITE_TOKEN");
});

test("names and keys that are not known are named as far as 100 characters", () => {
  const long = "x".repeat(101);
  const cut = `"${"x".repeat(100)}"`;
  expect(() => settingOf(long)).toThrow(`There is no setting ${cut}`);
  expect(() => assertProfile({ profiles: {} }, long)).toThrow(`There is no profile ${cut}`);
  expect(() => assertProfileName(long)).toThrow(`${cut} is not a name for a profile`);
  expect(() => assertProfileName("x".repeat(64))).not.toThrow();
  for (const name of ["x".repeat(65), "", ".x", "-x", "a b"])
    expect(() => assertProfileName(name)).toThrow("not a name");
  for (const [name, hint] of [
    ["timeout", "Did you mean deadline?"],
    ["url", "Did you mean baseUrl?"],
    ["format", "Did you mean output or wireFormat?"],
    ["outptu", "Did you mean output?"],
    ["toString", "There are: profile, baseUrl, authUrl, wireFormat, output, color, pager, deadline, attempts."],
  ] as const) {
    expect(() => settingOf(name)).toThrow(expect.objectContaining({ hint }) as Error);
  }
  expect(profileNames({ profiles: { b: {}, default: {} } })).toEqual(["default", "b"]);
  expect(() => assertProfile({ profiles: { staging: {} } }, "stagin")).toThrow(
    expect.objectContaining({ hint: "Did you mean staging?", exitCode: 3 }) as Error,
  );
  expect(() => assertProfile({ profiles: { b: {} } }, "zzzzzz")).toThrow(
    expect.objectContaining({
      hint: "There are: default, b. Make one with `bne profile set NAME --base-url URL`.",
    }) as Error,
  );
});

test("keys of a file that have no effect are named, five at most", () => {
  expect(unknownKeys({ output: 1, profiles: {}, $schema: "" }, "user", "f")).toEqual([]);
  expect(unknownKeys({ credentials: 1, kind: 1, output: 1 }, "profile", "p")).toEqual([]);
  expect(unknownKeys({ profile: 1, outptu: 1, zzzzzzz: 1 }, "profile", "p")).toEqual([
    'p: "profile" has no effect there',
    'p: there is no setting "outptu". Did you mean output?',
    'p: there is no setting "zzzzzzz". It has no effect.',
  ]);
  expect(unknownKeys({ credentials: 1 }, "user", "f")).toEqual(['f: "credentials" has no effect there']);
  const many = Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`zz${index}zzzzz`, 1]));
  expect(unknownKeys(many, "user", "f")).toHaveLength(6);
  expect(unknownKeys(many, "user", "f").at(-1)).toBe("f: 1 more are not known");
  expect(unknownKeys(Object.fromEntries(Object.entries(many).slice(1)), "user", "f")).toHaveLength(5);
  expect(unknownKeys({ ["y".repeat(101)]: 1 }, "user", "f")[0]).toContain(`"${"y".repeat(100)}"`);
});

test("a value is read by the kind of its setting, and must be worth keeping", () => {
  expect(readSetting(settingOf("deadline"), "2s", "f")).toBe(2_000);
  expect(readSetting(settingOf("attempts"), 3, "f")).toBe(3);
  expect(() => readSetting(settingOf("output"), true, "f")).toThrow("output from f: it must be a text");
  expect(() => readSetting(settingOf("attempts"), "0", "f")).toThrow(
    'attempts from f: must be a whole number from 1 to 4294967295, not "0"',
  );
  const env = { PATH: "/nowhere" };
  expect(() => assertLasting(settingOf("deadline"), "100ms", env)).not.toThrow();
  expect(() => assertLasting(settingOf("deadline"), "99ms", env)).toThrow(
    "deadline: with 99ms every call would time out",
  );
  expect(() => assertLasting(settingOf("attempts"), "1", env)).not.toThrow();
  expect(() => assertLasting(settingOf("pager"), "less -x", env)).toThrow("There is no program less");
  expect(() => assertLasting(settingOf("pager"), "", env)).not.toThrow();
});
