// Settings of `registry serve`: flags, environment, file, defaults.
import { parseArgs } from "node:util";
import { Ajv } from "ajv";
import type { FieldNumbers } from "../api/FieldNumbers.ts";
import { parseFaultRules } from "../faults/FaultRuleFile.ts";
import { makeFaults, type Faults } from "../faults/Faults.ts";
import { maxSettingsBytes, readBounded } from "../node/BoundedFile.ts";
import { logLevels } from "../node/AccessLog.ts";
import { defaultUploadLimits, publicUrlProblem } from "../archive/Upload.ts";
import { assertHosts } from "../node/HostCheck.ts";
import { defaultLimits } from "../node/ServerLimits.ts";
import type { RegistryOptions } from "../node/Registry.ts";
import { pathOrDefault } from "./Database.ts";
import { didYouMean } from "@bytenite-engines/core/wire";
import { flagError, UsageError } from "./UserError.ts";
import { tokensIn } from "./Tokens.ts";

/** Port when none is given. */
const defaultPort = 4010;

const count = { type: "integer", minimum: 1 } as const;
/** Milliseconds: more than a timer of Node takes would mean at once. */
const duration = { ...count, maximum: 2_147_483_647 } as const;
const port = { type: "integer", minimum: 0, maximum: 65_535 } as const;
const text = { type: "string", minLength: 1 } as const;

const rateLimit = {
  type: "object",
  additionalProperties: false,
  required: ["perSecond", "burst"],
  properties: { perSecond: { type: "number", exclusiveMinimum: 0 }, burst: count },
} as const;

/** The file of `--config`, as a JSON Schema. */
export const settingsSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    host: text,
    port,
    adminPort: port,
    allowedHosts: { type: "array", items: text },
    corsOrigins: { type: "array", items: text },
    trustedProxies: { type: "array", items: text },
    database: text,
    archives: text,
    publicUrl: text,
    uploads: {
      type: "object",
      additionalProperties: false,
      properties: Object.fromEntries(Object.keys(defaultUploadLimits).map((name) => [name, count])),
    },
    tokens: text,
    accessLog: text,
    logLevel: { enum: logLevels },
    faults: text,
    rateLimit,
    addressRateLimit: rateLimit,
    limits: {
      type: "object",
      additionalProperties: false,
      properties: {
        ...Object.fromEntries(Object.keys(defaultLimits).map((name) => [name, name.endsWith("Ms") ? duration : count])),
        drainDelayMs: { type: "integer", minimum: 0, maximum: 600_000 },
      },
    },
  },
} as const;

type SettingsFile = Partial<
  Pick<RegistryOptions, Exclude<keyof typeof settingsSchema.properties, "tokens" | "faults">> & {
    readonly tokens: string;
    readonly faults: string;
  }
>;

const validate = new Ajv({ verbose: true }).compile<SettingsFile>(settingsSchema);

/**
 * The options that a command line, an environment and the files they name come to: flags win over the environment, and that over the
 * file of --config; `note` is called with that file. Throws UsageError.
 */
export const settingsOf = async (
  args: ReadonlyArray<string>,
  environment: Readonly<Record<string, string | undefined>>,
  note: (line: string) => void,
): Promise<RegistryOptions> => {
  const flags = flagsIn(args);
  const file = flags.config === undefined ? {} : await settingsFile(flags.config);
  const fromEnvironment = (variable: string, flag: string | undefined, key: keyof SettingsFile): string | undefined => {
    const value = environment[variable];
    if (flag !== undefined || value === undefined || value === "") return flag;
    if (file[key] !== undefined) note(`${variable} is used instead of "${key}" in ${flags.config}`);
    return value;
  };
  const numbers = flags["field-numbers"];
  const configured = await named("tokens", () => tokensIn(flags.tokens ?? file.tokens, environment["REGISTRY_TOKENS"]));
  const allowedHosts =
    hostsIn(fromEnvironment("REGISTRY_ALLOWED_HOSTS", flags["allowed-hosts"], "allowedHosts")) ?? file.allowedHosts;
  await named("allowedHosts", async () => assertHosts(allowedHosts ?? []));
  return {
    database: pathOrDefault(fromEnvironment("REGISTRY_DATABASE", flags.database, "database") ?? file.database),
    archives: fromEnvironment("REGISTRY_ARCHIVES", flags.archives, "archives") ?? file.archives,
    publicUrl: publicUrlOf(fromEnvironment("REGISTRY_PUBLIC_URL", flags["public-url"], "publicUrl") ?? file.publicUrl),
    uploads: file.uploads,
    host: flags.host ?? file.host,
    port: portOf("--port", flags.port) ?? file.port ?? defaultPort,
    adminPort: portOf("--admin-port", flags["admin-port"]) ?? file.adminPort,
    allowedHosts,
    trustedProxies:
      hostsIn(fromEnvironment("REGISTRY_TRUSTED_PROXIES", undefined, "trustedProxies")) ?? file.trustedProxies,
    corsOrigins: hostsIn(fromEnvironment("REGISTRY_CORS_ORIGINS", undefined, "corsOrigins")) ?? file.corsOrigins,
    accessLog: flags["access-log"] ?? file.accessLog,
    logLevel: file.logLevel,
    key: environment["BYTENITE_REGISTRY_KEY"] || undefined,
    tokens: configured?.tokens,
    tokenPlaces: configured?.places,
    // Who has a settings file means it: a proxy in front would show the trial's tokens to everybody.
    trial: flags["no-trial"] || flags.config !== undefined ? false : undefined,
    rateLimit: file.rateLimit,
    addressRateLimit: file.addressRateLimit,
    limits: file.limits,
    faults: await faultsOf(flags.faults ?? file.faults),
    schemaDigest: !flags["no-schema-digest"],
    fieldNumbers: numbers === undefined ? undefined : await jsonIn<FieldNumbers>(numbers),
  };
};

const options = {
  config: { type: "string" },
  port: { type: "string" },
  host: { type: "string" },
  "admin-port": { type: "string" },
  "allowed-hosts": { type: "string" },
  database: { type: "string" },
  archives: { type: "string" },
  "public-url": { type: "string" },
  tokens: { type: "string" },
  "access-log": { type: "string" },
  faults: { type: "string" },
  "field-numbers": { type: "string" },
  "no-schema-digest": { type: "boolean", default: false },
  "no-trial": { type: "boolean", default: false },
} as const;

const flagsIn = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw flagError(error, Object.keys(options));
  }
};

const portOf = (flag: string, value: string | undefined): number | undefined => {
  if (value === undefined) return undefined;
  if (!/^[0-9]{1,5}$/.test(value) || Number(value) > 65_535) {
    throw new UsageError(`${flag} must be a number from 0 to 65535`);
  }
  return Number(value);
};

const publicUrlOf = (url: string | undefined): string | undefined => {
  const problem = url === undefined ? undefined : publicUrlProblem(url);
  if (problem !== undefined) throw new UsageError(`--public-url: ${problem}`);
  return url;
};

const hostsIn = (list: string | undefined): ReadonlyArray<string> | undefined =>
  list
    ?.split(",")
    .map((host) => host.trim())
    .filter((host) => host !== "");

/** `on` switches faults on without rules: they come later, at `/faults`. */
const faultsOf = async (source: string | undefined): Promise<Faults | undefined> => {
  if (source === undefined) return undefined;
  if (source === "on") return makeFaults();
  return makeFaults(await named(source, async () => parseFaultRules(await textIn(source))));
};

const settingsFile = async (path: string): Promise<SettingsFile> => {
  const parsed = await jsonIn<unknown>(path);
  if (validate(parsed)) return parsed;
  const [problem] = validate.errors ?? [];
  const { instancePath = "", message, parentSchema } = problem ?? {};
  const unknown = (problem?.params as { additionalProperty?: string } | undefined)?.additionalProperty;
  if (unknown === undefined) throw new UsageError(`${path}: ${instancePath || "/"} ${message}`);
  const known = Object.keys((parentSchema?.["properties"] ?? {}) as object);
  throw new UsageError(
    `${path}: there is no setting ${JSON.stringify(unknown.slice(0, 100))}${instancePath === "" ? "" : ` in ${instancePath}`}`,
    didYouMean(unknown, known) ?? `There are: ${known.join(", ")}.`,
  );
};

const textIn = async (path: string): Promise<string> => (await readBounded(path, maxSettingsBytes)).toString("utf8");

const jsonIn = <A>(path: string): Promise<A> => named(path, async () => JSON.parse(await textIn(path)) as A);

const named = async <A>(what: string, work: () => Promise<A>): Promise<A> => {
  try {
    return await work();
  } catch (error) {
    throw new UsageError(`${what}: ${(error as Error).message}`);
  }
};
