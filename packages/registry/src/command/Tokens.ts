// Configured tokens by user, from a file or the environment.
import { maxSettingsBytes, readBounded, UnreadableFileError } from "../node/BoundedFile.ts";

/** Fewest characters of a configured token, so that it cannot be guessed. */
export const minTokenCharacters = 16;

/** What an Authorization header can carry as one token. */
const sendable = /^[\x21-\x7e]*$/;

/** Configured tokens by user, and where each stands. */
export interface ConfiguredTokens {
  readonly tokens: Readonly<Record<string, ReadonlyArray<string>>>;
  readonly places: ReadonlyMap<string, string>;
}

/** The configured tokens of a file and of a variable together, or undefined when there is neither. Throws without naming a token. */
export const tokensIn = async (
  path: string | undefined,
  variable: string | undefined,
): Promise<ConfiguredTokens | undefined> => {
  const sources = [
    ...(path === undefined ? [] : [[path, await textOf(path)] as const]),
    ...(variable === undefined || variable === "" ? [] : [["REGISTRY_TOKENS", variable] as const]),
  ];
  if (sources.length === 0) return undefined;
  const tokens = Object.create(null) as Record<string, Array<string>>;
  const owners = new Map<string, string>();
  const places = new Map<string, string>();
  for (const [name, text] of sources) {
    for (const [user, given] of Object.entries(objectIn(name, text))) {
      const list = typeof given === "string" ? [given] : given;
      if (
        !Array.isArray(list) ||
        !list.every((token) => typeof token === "string" && sendable.test(token) && token.length >= minTokenCharacters)
      ) {
        throw new Error(
          `${name}: the tokens of ${user} must be a list of texts of at least ${minTokenCharacters} visible ASCII characters, without spaces`,
        );
      }
      tokens[user] = [...(tokens[user] ?? []), ...(list as ReadonlyArray<string>)];
      for (const token of list as ReadonlyArray<string>) {
        const owner = owners.get(token) ?? user;
        if (owner !== user) throw new Error(`${name}: ${owner} and ${user} have the same token`);
        owners.set(token, user);
        places.set(token, name);
      }
    }
  }
  return { tokens, places };
};

const textOf = async (path: string): Promise<string> => {
  try {
    return (await readBounded(path, maxSettingsBytes)).toString("utf8");
  } catch (error) {
    throw error instanceof UnreadableFileError ? new Error(`${path} ${error.message}`) : error;
  }
};

const objectIn = (name: string, text: string): object => {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed;
  } catch {
    // The parser's message quotes what it read, which may be a token.
  }
  throw new Error(`${name} is not JSON of the form {"user": ["token"]}`);
};
