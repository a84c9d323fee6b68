// Bindings: another Worker as the upstream, rate limits.
import { compatibilityDate, directSocket, emulate, moduleOf, originOf } from "@bytenite-engines/test-kit";
import { expect, onTestFinished, test } from "vitest";
import { builtWorker } from "../scripts/built.ts";
import { cacheResult } from "./served.ts";

const upstream = `export default {
  fetch(request) {
    const description = request.url + " " + request.headers.get("authorization");
    return Response.json({ name: "zipper", description });
  },
};`;

type Bindings = NonNullable<Parameters<typeof emulate>[0][number]["config"]["env"]>;

/** The built Worker with another one as its upstream; both end with the test. */
const startBound = async (bindings: Bindings = {}) => {
  const env: Bindings = {
    UPSTREAM: { type: "worker", worker: "registry" },
    UPSTREAM_URL: { type: "text", value: "https://registry.invalid/v1/dev" },
    ...bindings,
  };
  const manifest = moduleOf(await builtWorker());
  const miniflare = await emulate([
    { config: { name: "edge", compatibilityDate, manifest, env }, dev: directSocket },
    { config: { name: "registry", compatibilityDate, manifest: moduleOf(upstream) } },
  ]);
  onTestFinished(() => miniflare.dispose());
  const origin = await originOf(miniflare, "edge");
  return (path: string, headers: Record<string, string>): Promise<Response> =>
    fetch(`${origin}/v1/dev${path}`, { headers });
};

test("a bound Worker is asked instead of the network, at the configured host and path", async () => {
  const get = await startBound();
  const alice = { authorization: "alice" };
  expect(await (await get("/engines/zipper", alice)).json()).toEqual({
    name: "zipper",
    description: "https://registry.invalid/v1/dev/engines/zipper alice",
  });
  expect(cacheResult(await get("/engines/zipper", alice))).toBe("hit");
});

const limited = (limit: number, namespace: string) => ({
  type: "rate-limit" as const,
  namespace,
  simple: { limit, period: 60 as const },
});

// A run over the end of a minute counts anew.
test("the rate limits are for each token, and for each client without one; hits are free", { retry: 1 }, async () => {
  const get = await startBound({ TOKEN_LIMIT: limited(3, "1"), ANONYMOUS_LIMIT: limited(2, "2") });
  const statuses = async (headers: Record<string, string>, names: string): Promise<ReadonlyArray<number>> => {
    const seen: Array<number> = [];
    for (const name of names) {
      const response = await get(`/engines/${name}`, headers);
      await response.arrayBuffer();
      seen.push(response.status);
    }
    return seen;
  };
  expect(await statuses({ authorization: "alice" }, "abcdabc")).toEqual([200, 200, 200, 429, 200, 200, 200]);
  expect(await statuses({ authorization: "bob" }, "abcd")).toEqual([200, 200, 200, 429]);
  expect(await statuses({ "cf-connecting-ip": "192.0.2.1" }, "aaa")).toEqual([200, 200, 429]);
  expect(await statuses({ "cf-connecting-ip": "192.0.2.2" }, "aaa")).toEqual([200, 200, 429]);
  const refused = await get("/engines/d", { authorization: "alice" });
  expect(refused.headers.get("proxy-status")).toBe("bytenite-edge; error=http_request_denied");
  expect(await refused.json()).toMatchObject({ code: 8 });
});
