// Decides: where the accounts of origins come from, and where they are kept.
import { CalibratedNumbers } from "./CalibratedNumbers.ts";
import type { Known } from "./Evidence.ts";
import { knownFrom, nothingKnown } from "./Known.ts";
import type { Numbers } from "./Numbers.ts";
import { profileOf, type Profile } from "./Profile.ts";
import { ProfileError } from "./ProfileError.ts";
import type { ProfileStore } from "./ProfileStore.ts";
import { maxSharedWaitMs, settledWithin } from "../Sharing.ts";

/** What calibration is made with. */
export interface CalibrationOptions {
  /**
   * Profiles to start from, e.g. committed ones. They come before those of the store. Since nobody here has seen them to be
   * right, the first answer of each kind is held against its JSON.
   */
  readonly profiles?: ReadonlyArray<Profile> | undefined;
  /** Where profiles are loaded from before the first request to an origin, and saved to. Default: nowhere. */
  readonly store?: ProfileStore | undefined;
  /** The time, in milliseconds since 1970, for the dates of a profile, and for how old they are. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
  /**
   * Told when the store fails, or has what is no profile (`ProfileError`). The calls go on without it. A profile that a newer
   * version wrote is left as it is: nothing is saved over it.
   */
  readonly onStoreError?: ((error: unknown) => void) | undefined;
}

/** Works out the numberings of origins. Given to a client as `trust: { calibration: calibration() }`. */
export interface Calibration {
  readonly numbersOf: (origin: string) => Numbers;
  /** What is known of an origin, to look at or to keep. What the store has counts once the origin was asked something. */
  readonly profile: (origin: string) => Profile;
  /** Resolves when all that was learned is saved. For processes that end. */
  readonly flush: () => Promise<void>;
}

/** Makes the accounts of any number of origins; clients may share them. Throws ProfileError for a given profile that is none. */
export const calibration = (options: CalibrationOptions = {}): Calibration => {
  const { profiles = [], store, now = Date.now, onStoreError } = options;
  const given = new Map(profiles.map((profile) => [profile.origin, knownFrom(profile)]));
  const origins = new Map<string, CalibratedNumbers>();
  /** Origins whose profile in the store is for newer versions only. */
  const left = new Set<string>();
  let saving = Promise.resolve();
  const profile = (origin: string): Profile => profileOf(origin, numbersOf(origin).known, now());
  const save = (origin: string): void => {
    if (store !== undefined) saving = saved(saving, origin, store);
  };
  /** One after the other, so that the last state is the one that stays; and not before it is known what is there. */
  const saved = async (before: Promise<void>, origin: string, to: ProfileStore): Promise<void> => {
    try {
      await settledWithin(before, maxSharedWaitMs);
      await numbersOf(origin).loaded();
      if (!left.has(origin)) await to.save(profile(origin));
    } catch (error) {
      onStoreError?.(error);
    }
  };
  const load = async (origin: string, from: ProfileStore): Promise<Known> => {
    try {
      const found = await from.load(origin);
      return found === undefined ? nothingKnown : knownFrom(found);
    } catch (error) {
      if (error instanceof ProfileError && error.isNewer) left.add(origin);
      onStoreError?.(error);
      return nothingKnown;
    }
  };
  const numbersOf = (origin: string): CalibratedNumbers => {
    let numbers = origins.get(origin);
    if (numbers === undefined) {
      const stored = store === undefined ? undefined : () => load(origin, store);
      numbers = new CalibratedNumbers(given.get(origin), stored, now, () => save(origin));
      origins.set(origin, numbers);
    }
    return numbers;
  };
  return { numbersOf, profile, flush: () => saving };
};
