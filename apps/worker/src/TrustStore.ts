// Keeps what was learned about the upstream's field numbers in the Cache API, for the isolates of a data centre. It holds no
// value of any answer, so it is not sealed.
import { parseProfile, writeProfile, type ProfileStore } from "@bytenite-engines/core/trust";
import type { EdgeStore } from "./EdgeTier.ts";

/** Never resolved: the Cache API wants a URL. */
const keyOrigin = "https://trust.bytenite-engines.invalid/1/";
/** How long a profile is kept, in seconds: a week. Whatever is known of it after that is learned again. */
const keptSeconds = 604_800;

/** A store in a cache. What it holds and is no profile rejects; whoever uses it goes on without. */
export const cachedProfiles = (cache: EdgeStore): ProfileStore => ({
  load: async (origin) => {
    const kept = await cache.match(keyOf(origin));
    const profile = kept === undefined ? undefined : parseProfile(await kept.text());
    return profile?.origin === origin ? profile : undefined;
  },
  save: (profile) =>
    cache.put(
      keyOf(profile.origin),
      new Response(writeProfile(profile), {
        headers: { "cache-control": `max-age=${keptSeconds}`, "content-type": "application/json" },
      }),
    ),
});

const keyOf = (origin: string): string => keyOrigin + encodeURIComponent(origin);
