// Decides: what a place to keep profiles in must offer.
import type { Profile } from "./Profile.ts";

/** Keeps profiles by origin. A store may forget; what it returns is sampled like anything else. */
export interface ProfileStore {
  readonly load: (origin: string) => Promise<Profile | undefined>;
  readonly save: (profile: Profile) => Promise<void>;
}

/** Keeps profiles for as long as the process lives, e.g. for several clients. */
export const memoryProfileStore = (): ProfileStore => {
  const profiles = new Map<string, Profile>();
  return {
    load: (origin) => Promise.resolve(profiles.get(origin)),
    save: (profile) => {
      profiles.set(profile.origin, profile);
      return Promise.resolve();
    },
  };
};
