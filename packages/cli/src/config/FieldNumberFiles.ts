// Field numbers of servers, kept in one readable file per origin.
import { join } from "node:path";
import {
  parseProfile,
  writeProfile,
  type ProfileStore,
  ProfileError,
  type Profile,
} from "@bytenite-engines/core/trust";
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

/**
 * Keeps what was found, unless it only knows less: a look at an account with few engines, or at a server that has no protobuf
 * just now, says nothing against what others have shown. Rejects where the store fails, or has a profile of a newer version.
 */
export const keepFound = async (store: ProfileStore, found: Profile): Promise<void> => {
  const kept = await store.load(found.origin).catch((error: unknown) => {
    if (error instanceof ProfileError && error.isNewer) throw error;
    return undefined;
  });
  if (kept === undefined || replaces(found, kept)) await store.save(found);
};

/** Whether something that was certain is not so, or all of it was found again. */
const replaces = (found: Profile, kept: Profile): boolean => {
  const certain = Object.entries(kept.messages).flatMap(([message, { fields }]) =>
    Object.entries(fields).flatMap(([field, { number }]) =>
      number === undefined ? [] : [{ number, now: found.messages[message]?.fields[field]?.number }],
    ),
  );
  return (
    certain.some(({ number, now }) => now !== undefined && now !== number) ||
    certain.every(({ now }) => now !== undefined)
  );
};
