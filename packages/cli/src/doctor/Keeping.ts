// Decides: whether what one look has shown of the field numbers takes the place of what commands have learned.
import { ProfileError, type Profile, type ProfileStore } from "@bytenite-engines/core/trust";

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
