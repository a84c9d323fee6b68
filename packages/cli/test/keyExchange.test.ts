import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { pass, startServer } from "@bytenite-engines/test-kit/ports";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bne, makeHome } from "./Bne.ts";

let registry: TestRegistry;
const key = "alices-api-key";

beforeAll(async () => {
  registry = await startRegistry({
    users: [{ name: "alice", apiKey: key, engines: [{ name: "zipper", version: "0.1" }] }],
  });
});
afterAll(() => registry.stop());

/** A gateway that passes on some paths, under names of its own. */
const gateway = async (routes: Readonly<Record<string, string>>) => {
  const seen: Array<string> = [];
  const server = await startServer((incoming, outgoing) => {
    const [path = ""] = (incoming.url ?? "").split("?");
    seen.push(`${incoming.method} ${path}`);
    const prefix = Object.keys(routes).find((name) => path.startsWith(name));
    if (prefix === undefined) return void outgoing.writeHead(404).end("{}");
    const target = new URL(registry.url).origin + (routes[prefix] ?? "") + (incoming.url ?? "").slice(prefix.length);
    pass(incoming, outgoing, target);
  });
  return { seen, origin: server.origin, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
};

const exchange = (): string => `${new URL(registry.url).origin}/v1/auth/access_token`;

test("a key is exchanged next to the base URL or below it, whatever path that has", async () => {
  for (const [base, auth] of [
    ["/v1/dev", "/v1/auth/access_token"],
    ["/some/where/else", "/some/where/auth/access_token"],
    ["/engines-api", "/engines-api/auth/access_token"],
  ] as const) {
    await using server = await gateway({ [auth]: "/v1/auth/access_token", [`${base}/engines`]: "/v1/dev/engines" });
    using home = makeHome();
    const env = { BYTENITE_BASE_URL: server.origin + base, BYTENITE_API_KEY: key };
    expect({ base, ...(await bne(home, ["list", "-o", "name"], { env })) }).toMatchObject({
      code: 0,
      stdout: "zipper@0.1\n",
    });
    expect((await bne(home, ["auth", "status"], { env })).code).toBe(0);
  }
});

test("where no key is exchanged it is said, with the flag that says where; auth status fails, too", async () => {
  await using server = await gateway({ "/v1/dev/engines": "/v1/dev/engines" });
  using home = makeHome();
  const env = { BYTENITE_BASE_URL: `${server.origin}/v1/dev`, BYTENITE_API_KEY: key };
  for (const args of [["list"], ["auth", "status"], ["auth", "token"], ["raw", "GET", "/engines"]]) {
    const { code, stderr } = await bne(home, args, { env });
    expect({ args, code }).toEqual({ args, code: 3 });
    expect(stderr).toContain(`There is nothing at ${server.origin}/v1/auth/access_token`);
    expect(stderr).toContain("--auth-url URL, BYTENITE_AUTH_URL or `bne profile set NAME --auth-url URL`");
    expect(stderr).not.toContain(key);
  }
  expect((await bne(home, ["list", "--auth-url", exchange()], { env })).code).toBe(0);
  expect((await bne(home, ["list"], { env: { ...env, BYTENITE_AUTH_URL: exchange() } })).code).toBe(0);
  expect((await bne(home, ["list", "--auth-url", "ftp://x"], { env })).code).toBe(2);
});

test("a stored key remembers where it is exchanged, and goes to no other origin", async () => {
  await using server = await gateway({ "/v1/dev/engines": "/v1/dev/engines" });
  await using evil = await gateway({});
  using home = makeHome();
  const env = { BYTENITE_BASE_URL: `${server.origin}/v1/dev` };
  const login = await bne(home, ["auth", "login", "--with-api-key", "--auth-url", exchange()], { env, input: key });
  expect(login.code).toBe(0);
  expect(readFileSync(join(dirname(home.userFile), "credentials.json"), "utf8")).toContain(exchange());
  expect((await bne(home, ["list", "-o", "name"], { env })).stdout).toBe("zipper@0.1\n");
  await bne(home, ["cache", "clear"]);
  const led = await bne(home, ["list", "--auth-url", `${evil.origin}/v1/auth/access_token`], { env });
  expect(led.code).toBe(2);
  expect(led.stderr).toContain("so it is not sent there");
  expect(evil.seen).toEqual([]);
});

test("auth status says that there are none, or that the server cannot be asked", async () => {
  using home = makeHome();
  const none = await bne(home, ["auth", "status"], { env: { BYTENITE_BASE_URL: registry.url } });
  expect(none.code).toBe(4);
  expect(none.stderr).toContain("bne help credentials");
  const nowhere = await bne(home, ["auth", "status"], {
    env: { BYTENITE_BASE_URL: "http://127.0.0.1:9/v1/dev", BYTENITE_TOKEN: "x" },
  });
  expect(nowhere.code).toBe(5);
});
