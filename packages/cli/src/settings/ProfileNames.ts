// Decides: which profiles there are, and what a name of one may be.
import { exitCodes } from "../ExitCode.ts";
import { CommandError } from "../Failure.ts";
import { didYouMean } from "../Suggestion.ts";
import { UsageError } from "../UsageError.ts";
import type { Settings } from "./Settings.ts";

/** The profile that is there without being made. */
export const defaultProfile = "default";

/** All profiles by name. */
export const profileNames = ({ profiles }: Pick<Settings, "profiles">): ReadonlyArray<string> => [
  ...new Set([defaultProfile, ...Object.keys(profiles)]),
];

/** Throws CommandError, with the closest names, for a profile that there is not. */
export const assertProfile = (settings: Pick<Settings, "profiles">, name: string): void => {
  const names = profileNames(settings);
  if (names.includes(name)) return;
  throw new CommandError(
    `There is no profile ${JSON.stringify(name.slice(0, 100))}`,
    exitCodes.notFound,
    didYouMean(name, names) ?? `There are: ${names.join(", ")}. Make one with \`bne profile set NAME --base-url URL\`.`,
  );
};

/** Throws UsageError for a name that no profile may have. */
export const assertProfileName = (name: string): void => {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) {
    throw new UsageError(
      `${JSON.stringify(name.slice(0, 100))} is no name for a profile`,
      "Letters, digits, dot, dash and underscore, at most 64.",
    );
  }
};
