import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { settingsOf } from "./Settings.ts";

test("flags win over the environment, and the environment over the file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "registry-settings-"));
  const config = join(folder, "settings.json");
  await writeFile(config, JSON.stringify({ database: "/of/the/file.sqlite" }));
  const environment = { REGISTRY_DATABASE: "/of/the/environment.sqlite" };
  const notes: Array<string> = [];
  const databaseOf = async (flags: ReadonlyArray<string>, environment: Readonly<Record<string, string>>) =>
    (await settingsOf(["--config", config, ...flags], environment, (line) => void notes.push(line))).database;
  expect(await databaseOf([], {})).toBe("/of/the/file.sqlite");
  expect(await databaseOf([], { REGISTRY_DATABASE: "" })).toBe("/of/the/file.sqlite");
  expect(notes).toEqual([]);
  expect(await databaseOf([], environment)).toBe("/of/the/environment.sqlite");
  expect(notes).toEqual([`REGISTRY_DATABASE is used instead of "database" in ${config}`]);
  expect(await databaseOf(["--database", "/of/the/flag.sqlite"], environment)).toBe("/of/the/flag.sqlite");
  expect(notes).toHaveLength(1);
  await writeFile(config, JSON.stringify({ limits: { maxHeaderByte: 1 } }));
  await expect(databaseOf([], {})).rejects.toMatchObject({
    message: `${config}: there is no setting "maxHeaderByte" in /limits`,
    hint: expect.stringMatching(/^(Did you mean|There are:) /) as unknown,
  });
  await writeFile(config, JSON.stringify({ databse: "x" }));
  await expect(databaseOf([], {})).rejects.toMatchObject({
    message: `${config}: there is no setting "databse"`,
    hint: "Did you mean database?",
  });
  const problems: Array<string> = [];
  const delays = [-1, 0, 600_000, 600_001].map((drainDelayMs) => ({ drainDelayMs }));
  for (const limits of [...delays, { requestTimeoutMs: 2_147_483_647 }, { requestTimeoutMs: 2_147_483_648 }]) {
    await writeFile(config, JSON.stringify({ limits }));
    await databaseOf(["--database", "/of/the/flag.sqlite"], {}).catch((error: Error) => problems.push(error.message));
  }
  expect(problems).toEqual([
    `${config}: /limits/drainDelayMs must be >= 0`,
    `${config}: /limits/drainDelayMs must be <= 600000`,
    `${config}: /limits/requestTimeoutMs must be <= 2147483647`,
  ]);
  for (const host of ["https://a/", "*.example", "a b", "[::1", "a/"]) {
    await expect(settingsOf(["--allowed-hosts", host], {}, () => undefined)).rejects.toMatchObject({
      message: expect.stringContaining(`allowedHosts: ${JSON.stringify(host)} is not a host`) as unknown,
      exitCode: 2,
    });
  }
  await rm(folder, { recursive: true });
});

const settingsWith = async (
  file: object | undefined,
  flags: ReadonlyArray<string> = [],
  environment: Readonly<Record<string, string>> = {},
) => {
  const folder = await mkdtemp(join(tmpdir(), "registry-settings-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const write = async (name: string, content: unknown): Promise<string> => {
    await writeFile(join(folder, name), JSON.stringify(content));
    return join(folder, name);
  };
  const config = file === undefined ? [] : ["--config", await write("settings.json", file)];
  const notes: Array<string> = [];
  const options = await settingsOf(
    ["--database", "x", ...config, ...flags],
    environment,
    (line) => void notes.push(line.replace(folder, "DIR")),
  );
  return { options, notes, write };
};

const ofFile = {
  host: "::1",
  port: 0,
  adminPort: 65_535,
  archives: "a",
  publicUrl: "https://file.example",
  allowedHosts: ["file.example"],
  corsOrigins: ["https://file.example"],
  trustedProxies: ["10.0.0.0/8"],
  accessLog: "stderr",
  logLevel: "warn",
  rateLimit: { perSecond: 0.5, burst: 1 },
  addressRateLimit: { perSecond: 1, burst: 2 },
  limits: { connections: 1 },
};

test("a file sets everything, the environment some, and flags their own", async () => {
  const { options, notes } = await settingsWith({ ...ofFile, uploads: {} });
  expect(notes).toEqual([]);
  expect(options).toEqual({
    ...ofFile,
    uploads: {},
    database: "x",
    key: undefined,
    tokens: undefined,
    tokenPlaces: undefined,
    trial: false,
    faults: undefined,
    schemaDigest: true,
    fieldNumbers: undefined,
  });
  const environment = {
    REGISTRY_ARCHIVES: "b",
    REGISTRY_PUBLIC_URL: "https://environment.example",
    REGISTRY_ALLOWED_HOSTS: "a.example, ,b.example",
    REGISTRY_CORS_ORIGINS: "https://a.example",
    REGISTRY_TRUSTED_PROXIES: "127.0.0.1",
    BYTENITE_REGISTRY_KEY: "k",
    REGISTRY_TOKENS: JSON.stringify({ ann: "a-token-of-ann-00" }),
  };
  const named = await settingsWith(ofFile, [], environment);
  const keys = ["archives", "publicUrl", "allowedHosts", "trustedProxies", "corsOrigins"];
  expect(named.notes.toSorted()).toEqual(
    keys
      .map((key) => [`REGISTRY_${key.replaceAll(/[A-Z]/g, "_$&").toUpperCase()}`, key])
      .map(([variable, key]) => `${variable} is used instead of "${key}" in DIR/settings.json`)
      .toSorted(),
  );
  expect(named.options).toMatchObject({
    archives: "b",
    publicUrl: "https://environment.example",
    allowedHosts: ["a.example", "b.example"],
    corsOrigins: ["https://a.example"],
    trustedProxies: ["127.0.0.1"],
    key: "k",
    tokens: { ann: ["a-token-of-ann-00"] },
    tokenPlaces: new Map([["a-token-of-ann-00", "REGISTRY_TOKENS"]]),
  });
  const flags =
    "--host 0.0.0.0 --port 65535 --admin-port 0 --archives c --public-url https://flag.example --allowed-hosts c.example --access-log l --no-schema-digest --faults on".split(
      " ",
    );
  expect((await settingsWith(ofFile, flags, environment)).options).toMatchObject({
    host: "0.0.0.0",
    port: 65_535,
    adminPort: 0,
    archives: "c",
    publicUrl: "https://flag.example",
    allowedHosts: ["c.example"],
    accessLog: "l",
    schemaDigest: false,
    faults: expect.objectContaining({ list: expect.any(Function) as unknown }) as unknown,
  });
});

test("without a file the port is 4010, and it may be a trial", async () => {
  const { options } = await settingsWith(undefined);
  expect(options).toMatchObject({ port: 4_010, host: undefined, trial: undefined, schemaDigest: true });
  expect((await settingsWith(undefined, ["--no-trial"])).options.trial).toBe(false);
});

test("tokens, faults and numbers are files", async () => {
  const { write } = await settingsWith(undefined);
  const tokens = await write("tokens.json", { ann: ["a-token-of-ann-00"] });
  const faults = await write("faults.json", [{ fault: { status: 503 } }]);
  const numbers = await write("numbers.json", { Engine: { id: 9 } });
  const { options } = await settingsWith({ tokens, faults }, ["--field-numbers", numbers]);
  expect(options.tokens).toEqual({ ann: ["a-token-of-ann-00"] });
  expect(options.faults?.list()).toMatchObject([{ rule: { fault: { status: 503 } } }]);
  expect(options.fieldNumbers).toEqual({ Engine: { id: 9 } });
  const wrong = await write("wrong.json", { fault: 1 });
  await expect(settingsWith(undefined, ["--faults", wrong])).rejects.toMatchObject({
    message: expect.stringContaining(`${wrong}: `) as unknown,
    exitCode: 2,
  });
});

test.for<[object | undefined, ReadonlyArray<string>, RegExp]>([
  [undefined, ["--port", "65536"], /^--port must be a number from 0 to 65535$/],
  [undefined, ["--port", "1e3"], /^--port must be a number from 0 to 65535$/],
  [undefined, ["--admin-port", "123456"], /^--admin-port must be a number from 0 to 65535$/],
  [undefined, ["--public-url", "ftp://x"], /^--public-url: /],
  [undefined, ["--config", "/no/such/file"], /^\/no\/such\/file: ENOENT/],
  [undefined, ["x"], /Unexpected argument 'x'/],
  [{ port: 65_536 }, [], /: \/port must be <= 65535$/],
  [{ port: -1 }, [], /: \/port must be >= 0$/],
  [{ host: "" }, [], /: \/host must NOT have fewer than 1 characters$/],
  [{ rateLimit: { perSecond: 0, burst: 1 } }, [], /: \/rateLimit\/perSecond must be > 0$/],
  [{ rateLimit: { perSecond: 1, burst: 0 } }, [], /: \/rateLimit\/burst must be >= 1$/],
  [{ rateLimit: { perSecond: 1 } }, [], /: \/rateLimit must have required property 'burst'$/],
  [{ rateLimit: { perSecond: 1, burst: 1, x: 1 } }, [], /: there is no setting "x" in \/rateLimit$/],
  [{ limits: { connections: 0 } }, [], /: \/limits\/connections must be >= 1$/],
  [{ uploads: { x: 1 } }, [], /: there is no setting "x" in \/uploads$/],
  [{ [`x${"y".repeat(200)}`]: 1 }, [], /: there is no setting "xy{99}"$/],
  [[], [], /: \/ must be object$/],
])("the file %j with %j is refused: %s", async ([file, flags, problem]) => {
  const refused: unknown = await settingsWith(file, flags).catch((error: unknown) => error);
  expect(refused).toMatchObject({ exitCode: 2, message: expect.stringMatching(problem) as unknown });
});
