// Cached field number profiles and protobuf state, by server.
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Profile } from "@bytenite-engines/core/infer";
import type { VerificationOptions } from "@bytenite-engines/core/promise";
import { readText, writeOwn } from "./Files.ts";

/** A file of an origin: `https://api.example:8443` -> `https_api.example_8443.json`. */
const pathOf = (cache: string, origin: string, extension: "json" | "status"): string =>
  join(cache, "field-numbers", `${origin.replaceAll(/[^A-Za-z0-9.-]+/g, "_")}.${extension}`);

/** The profile of an origin; undefined where there is none. Throws ProfileError for an invalid file. */
export const loadProfile = async (cache: string, origin: string): Promise<Profile | undefined> => {
  const text = readText(pathOf(cache, origin, "json"), "own");
  if (text === undefined) return undefined;
  const { parseProfile } = await import("@bytenite-engines/core/infer");
  const profile = parseProfile(text);
  return profile.origin === origin ? profile : undefined;
};

/** Whether the protobuf of an origin is read by its profile, or not at all. What cannot be read or written is not known. */
export const originMemory = (cache: string): NonNullable<VerificationOptions["memory"]> => ({
  get: (origin) => {
    try {
      const text = readText(pathOf(cache, origin, "status"), "own")?.trim();
      return text === "json" || text === "compared" ? text : undefined;
    } catch {
      return undefined;
    }
  },
  set: (origin, status) => {
    const path = pathOf(cache, origin, "status");
    try {
      if (status === undefined) rmSync(path);
      else writeOwn(path, `${status}\n`);
    } catch {
      // Only time is lost.
    }
  },
});

/**
 * Stores an inferred profile, unless it has fewer certain numbers and contradicts nothing: an account with few engines, or a server without
 * protobuf. Rejects where a file cannot be written, or is of a newer version.
 */
export const keepProfile = async (cache: string, found: Profile): Promise<void> => {
  const { ProfileError, writeProfile } = await import("@bytenite-engines/core/infer");
  const kept = await loadProfile(cache, found.origin).catch((error: unknown) => {
    if (error instanceof ProfileError && error.isNewer) throw error;
    return undefined;
  });
  if (kept !== undefined && !replaces(found, kept)) return;
  writeOwn(pathOf(cache, found.origin, "json"), writeProfile(found));
  originMemory(cache).set(found.origin, "compared");
};

/** Whether a certain number is contradicted, or all were found again. */
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
