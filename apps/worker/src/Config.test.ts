import { readFileSync } from "node:fs";
import { compatibilityDate, compatibilityFlags } from "@bytenite-engines/test-kit";
import { expect, test } from "vitest";
import { parseConfig } from "./Config.ts";

const upstream = { UPSTREAM_URL: "https://api.example/v1/dev/" };

test("nothing has to be said; the upstream is then the documented address", () => {
  expect(parseConfig({}).upstreamUrl).toBe("https://api.bytenite.com/v1/dev");
  expect(parseConfig(upstream)).toEqual({
    upstreamUrl: "https://api.example/v1/dev",
    deployment: "https-api.example-v1-dev",
    lifetimes: {
      list: { freshMs: 10_000, staleWhileRevalidateMs: 30_000, staleIfErrorMs: 600_000, browserMs: 10_000 },
      get: { freshMs: 60_000, staleWhileRevalidateMs: 120_000, staleIfErrorMs: 600_000, browserMs: 60_000 },
      status: { freshMs: 2_000, staleWhileRevalidateMs: 2_000, staleIfErrorMs: 120_000, browserMs: 2_000 },
    },
    negativeMs: 0,
    forwardedPaths: ["/v1/dev", "/v1/auth"],
    cachesAnonymous: false,
    memoryBytes: 24 * 1024 * 1024,
    memoryEntries: 10_000,
    edgeTier: true,
    attemptTimeoutMs: 3_000,
    deadlineMs: 8_000,
    allowedOrigins: [],
    logLevel: "errors",
    adminSecrets: [],
    identitySecrets: [],
  });
});

test("what is deployed by default is what applies by default, on the runtime of the tests", () => {
  const text = readFileSync(new URL("../wrangler.jsonc", import.meta.url), "utf8");
  const { vars, ...deployed } = JSON.parse(text.replaceAll(/^\s*\/\/.*$/gm, "").replaceAll(/,(\s*\})/g, "$1")) as {
    vars: Record<string, string>;
    compatibility_date: string;
    compatibility_flags: ReadonlyArray<string>;
  };
  expect([deployed.compatibility_date, deployed.compatibility_flags]).toEqual([compatibilityDate, compatibilityFlags]);
  expect(parseConfig(vars)).toEqual(parseConfig({}));
  const read = new Set<string>();
  parseConfig(new Proxy({}, { get: (_, name) => void read.add(String(name)) }));
  expect([...read].filter((name) => !(name in vars) && !/SECRET|^UPSTREAM$/.test(name))).toEqual([]);
});

test.each([
  [{ UPSTREAM_URL: "ftp://api.example" }, "UPSTREAM_URL must be an http or https URL"],
  [{ UPSTREAM_URL: "not a url" }, "UPSTREAM_URL must be an http or https URL"],
  [{ UPSTREAM_URL: "https://user:pass@api.example/" }, "no user info"],
  [{ UPSTREAM_URL: "https://api.example/?x=1" }, "no user info, query or fragment"],
  [{ ...upstream, LIST_FRESH_SECONDS: "-1" }, "LIST_FRESH_SECONDS must be a whole number from 0 to 604800"],
  [{ ...upstream, GET_STALE_IF_ERROR_SECONDS: "1.5" }, "GET_STALE_IF_ERROR_SECONDS must be a whole number"],
  [{ ...upstream, MEMORY_MIB: "49" }, "MEMORY_MIB must be a whole number from 0 to 48"],
  [{ ...upstream, DEADLINE_MS: "10", ATTEMPT_TIMEOUT_MS: "20" }, "DEADLINE_MS must be a whole number from 20"],
  [{ ...upstream, EDGE_TIER: "yes" }, "EDGE_TIER must be one of on, off"],
  [{ ...upstream, LOG: "debug" }, "LOG must be one of all, errors, off"],
  [{ ...upstream, ADMIN_SECRET: "short" }, "ADMIN_SECRET must have at least 16 characters"],
  [{ ...upstream, ADMIN_SECRET: "sixteen and more characters" }, "16 characters of visible ASCII"],
  [{ ...upstream, ADMIN_SECRET: "sixteen-and-m\u00f6re" }, "16 characters of visible ASCII"],
  [{ ...upstream, ALLOWED_ORIGINS: "https://a.example, b.example" }, '"b.example"'],
  [{ ...upstream, ALLOWED_ORIGINS: "*" }, "ALLOWED_ORIGINS must list origins"],
  [{ UPSTREAM_URL: 8080 }, "UPSTREAM_URL must be text, in quotes"],
  [{ ...upstream, EDGE_TIER: false }, "EDGE_TIER must be text, in quotes"],
  [{ ...upstream, ADMIN_SECRET_PREVIOUS: "0123456789abcdef" }, "ADMIN_SECRET_PREVIOUS needs ADMIN_SECRET"],
  [{ ...upstream, ADMIN_SECRET_PREVIOUS: "short" }, "ADMIN_SECRET_PREVIOUS needs ADMIN_SECRET"],
  [{ ...upstream, IDENTITY_SECRET: "short" }, "IDENTITY_SECRET must have at least 16 characters"],
  [{ ...upstream, FORWARDED_PATHS: "v1/auth" }, "FORWARDED_PATHS must list paths such as /v1/auth"],
  [{ ...upstream, FORWARDED_PATHS: "none," }, 'or be none without a comma, not "none"'],
  [{ ...upstream, FORWARDED_PATHS: "/v1/../x" }, "FORWARDED_PATHS must list paths such as /v1/auth"],
  [{ ...upstream, ALLOWED_ORIGINS: ["https://a.example"] }, "ALLOWED_ORIGINS must be text, in quotes"],
  [{ ...upstream, ADMIN_SECRET: 1_234_567_890_123_456 }, "ADMIN_SECRET must be text, in quotes"],
  [{ ...upstream, LIST_FRSH_SECONDS: "5" }, "LIST_FRSH_SECONDS is not a setting"],
  [{ ...upstream, ADMIN_SECRETS: "0123456789abcdef" }, "ADMIN_SECRETS is not a setting"],
  [{ UPSTREAM_ULR: "https://api.example" }, "UPSTREAM_ULR is not a setting"],
  [{ ...upstream, EGDE_TIER: "off", ALLOWED_ORIGIN: "x", CACHE_ANONIMOUS: "on" }, "ALLOWED_ORIGIN is not a setting"],
  [{ ...upstream, LIST_FRESH_SECONDS: null }, "LIST_FRESH_SECONDS must be a whole number"],
])("%j is refused: %s", (variables, problem) => {
  expect(() => parseConfig(variables)).toThrow("The proxy's configuration cannot work: ");
  expect(() => parseConfig(variables)).toThrow(problem);
});

test("the greatest and the shortest values are taken", () => {
  const secret = "0123456789abcdef";
  const values = { NEGATIVE_SECONDS: "604800", MEMORY_MIB: "48", MEMORY_ENTRIES: "1000000", DEADLINE_MS: "120000" };
  const others = { ATTEMPT_TIMEOUT_MS: "60000", CACHE_ANONYMOUS: "on", ADMIN_SECRET: secret };
  expect(parseConfig({ ...values, ...others })).toMatchObject({
    negativeMs: 604_800_000,
    memoryBytes: 48 * 1024 * 1024,
    memoryEntries: 1_000_000,
    deadlineMs: 120_000,
    attemptTimeoutMs: 60_000,
    cachesAnonymous: true,
    adminSecrets: [secret],
  });
});

test.each([
  ["MEMORY_ENTRIES", 0, 1_000_000],
  ["ATTEMPT_TIMEOUT_MS", 1, 60_000],
  ["DEADLINE_MS", 3_000, 120_000],
])("%s is from %i to %i", (name, least, most) => {
  for (const value of [least - 1, most + 1]) {
    const problem = `${name} must be a whole number from ${least} to ${most}`;
    expect(() => parseConfig({ ...upstream, [name]: `${value}` })).toThrow(problem);
  }
});

test("all problems are reported at once, and none of them shows a secret", () => {
  const wrong = { UPSTREAM_URL: "x", LOG: "x", EDGE_TIER: "y", ADMIN_SECRET: "hunter2" };
  expect(() => parseConfig(wrong)).toThrow(/UPSTREAM_URL.*EDGE_TIER.*LOG.*ADMIN_SECRET/);
  expect(() => parseConfig(wrong)).not.toThrow(/hunter2/);
});

const deploymentWith = (variables: Record<string, unknown>) => parseConfig({ ...upstream, ...variables }).deployment;

test("a deployment is identified by its upstream, or by its name", () => {
  expect(deploymentWith({ UPSTREAM: {} })).not.toBe(deploymentWith({}));
  expect(deploymentWith({ UPSTREAM_URL: "https://api.example/v1/other" })).not.toBe(deploymentWith({}));
  expect(deploymentWith({ DEPLOYMENT_ID: "One-1" })).toBe("one-1");
  expect(() => deploymentWith({ DEPLOYMENT_ID: "one, two" })).toThrow(/DEPLOYMENT_ID must be/);
});
