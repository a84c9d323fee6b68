import { calibration, memoryProfileStore, writeProfile, type Profile } from "@bytenite-engines/core/trust";
import { expect, test } from "vitest";
import { cachedProfiles } from "./TrustStore.ts";

const origin = "https://engines.example";
const profile: Profile = calibration({ store: memoryProfileStore(), now: () => 1_700_000_000_000 }).profile(origin);

test("a profile is kept by the cache of the data centre, for each origin by itself, and comes back as it was", async () => {
  const cache = await caches.open("profiles");
  const store = cachedProfiles(cache);
  expect(await store.load(origin)).toBeUndefined();
  await store.save(profile);
  await store.save({ ...profile, origin: "http://engines.example:8080" });
  expect(await cachedProfiles(cache).load(origin)).toEqual(profile);
  expect((await store.load("http://engines.example:8080"))?.origin).toBe("http://engines.example:8080");
  expect(await store.load("https://other.example")).toBeUndefined();
});

test("what lies there is readable, for a week, and what is no profile is not taken for one", async () => {
  const cache = await caches.open("other-profiles");
  await cachedProfiles(cache).save(profile);
  const key = "https://trust.bytenite-engines.invalid/1/https%3A%2F%2Fengines.example";
  const kept = await cache.match(key);
  expect(kept?.headers.get("cache-control")).toBe("max-age=604800");
  expect(await kept?.text()).toBe(writeProfile(profile));
  await cache.put(key, new Response("{}", { headers: { "cache-control": "max-age=60" } }));
  await expect(cachedProfiles(cache).load(origin)).rejects.toThrow('"kind"');
});
