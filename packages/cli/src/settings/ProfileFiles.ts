// Keeps what was learned about the field numbers of servers: one readable file per origin in the cache directory.
import { join } from "node:path";
import { parseProfile, writeProfile, type ProfileStore } from "@bytenite-engines/core/trust";
import { readText, writeOwn } from "./Files.ts";

/** The file of an origin: `https://api.example:8443` -> `https_api.example_8443.json`. */
export const profilePath = (cache: string, origin: string): string =>
  join(cache, "field-numbers", `${origin.replaceAll(/[^A-Za-z0-9.-]+/g, "_")}.json`);

/** A store in the cache directory. Its failures reject; whoever uses it goes on without. */
export const profileFiles = (cache: string): ProfileStore => ({
  load: async (origin) => {
    const text = readText(profilePath(cache, origin), "own");
    const profile = text === undefined ? undefined : parseProfile(text);
    return profile?.origin === origin ? profile : undefined;
  },
  save: async (profile) => writeOwn(profilePath(cache, profile.origin), writeProfile(profile)),
});
