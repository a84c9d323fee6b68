import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExpiringToken, TokenContext } from "@bytenite-engines/core/promise";
import { afterAll, expect, test } from "vitest";
import { forgetAccessTokens, keptAccessTokens } from "./AccessTokens.ts";

const cache = mkdtempSync(join(tmpdir(), "bne-tokens-"));
afterAll(() => rmSync(cache, { recursive: true }));
const folder = join(cache, "access-tokens");

/** What a run at that time uses for its first call and for later ones; a new token has the number of its exchange. */
const runs = (answer: (exchange: number) => string | ExpiringToken, key = "key") => {
  let exchanges = 0;
  return (nowMs: number, baseUrl = "https://a.example") => {
    const option = keptAccessTokens(async () => answer(++exchanges), key, cache);
    return async () => {
      const token = await option({ baseUrl, nowMs } as unknown as TokenContext);
      return typeof token === "string" ? token : token.token;
    };
  };
};

test("a token is used until the last tenth of its life, at most a minute", async () => {
  for (const [lifeMs, unusedMs] of [
    [100_000, 10_000],
    [599_990, 59_999],
    [600_000, 60_000],
    [1_000_000, 60_000],
  ] as const) {
    await forgetAccessTokens(cache);
    const run = runs((exchange) => ({ token: `t${exchange}`, expiresAtMs: 1_000 + lifeMs }));
    expect(await run(1_000)()).toBe("t1");
    const usedUntilMs = 1_000 + lifeMs - unusedMs;
    expect([lifeMs, await run(usedUntilMs - 1)()]).toEqual([lifeMs, "t1"]);
    expect([lifeMs, await run(usedUntilMs)()]).toEqual([lifeMs, "t2"]);
  }
});

test("a kept token says when it ends, another key or server has another one, and nobody else can read them", async () => {
  await forgetAccessTokens(cache);
  const run = runs((exchange) => ({ token: `t${exchange}`, expiresAtMs: 900_000 }));
  await run(0)();
  const kept = keptAccessTokens(() => "never asked", "key", cache);
  expect(await kept({ baseUrl: "https://a.example", nowMs: 1 } as TokenContext)).toEqual({
    token: "t1",
    expiresAtMs: 900_000,
  });
  expect(await run(0, "https://b.example")()).toBe("t2");
  expect(await runs(() => ({ token: "other", expiresAtMs: 900_000 }), "key 2")(0)()).toBe("other");
  const files = readdirSync(folder);
  expect(files).toHaveLength(3);
  for (const file of files) expect([file, statSync(join(folder, file)).mode & 0o777]).toEqual([file, 0o600]);
  await forgetAccessTokens(cache);
  expect(await run(0)()).toBe("t3");
});

test("a run that asks again gets a new token, calls at once share one", async () => {
  await forgetAccessTokens(cache);
  const run = runs((exchange) => ({ token: `t${exchange}`, expiresAtMs: 900_000 }));
  const first = run(0);
  expect(await Promise.all([first(), first()])).toEqual(["t1", "t1"]);
  expect(await first()).toBe("t2");
  expect(await run(0)()).toBe("t2");
});

test("a token that does not say when it ends, or is over, is not kept; a JWT says it itself", async () => {
  await forgetAccessTokens(cache);
  const jwt = `e30.${Buffer.from('{"exp":900}').toString("base64url")}.c2ln`;
  const answers = [{ token: "lasting", expiresAtMs: 900_000 }, "plain", { token: "over", expiresAtMs: 5 }, jwt, "last"];
  const run = runs((exchange) => answers[exchange - 1] ?? "");
  expect(await run(0)()).toBe("lasting");
  // Refused: the one that follows takes its place.
  const refused = run(0);
  expect([await refused(), await refused()]).toEqual(["lasting", "plain"]);
  expect(readdirSync(folder)).toEqual([]);
  expect(await run(10)()).toBe("over");
  expect(await run(10)()).toBe(jwt);
  expect(await run(839_999)()).toBe(jwt);
  expect(await run(840_000)()).toBe("last");
});

test("tokens are forgotten where none can be, too, and a failure is reported", async () => {
  const file = join(cache, "file");
  writeFileSync(file, "");
  await forgetAccessTokens(file);
  await expect(forgetAccessTokens(join(cache, "x".repeat(300)))).rejects.toThrow("Cannot remove ");
});
