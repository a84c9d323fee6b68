// Engine tags and the order of versions.

/** Longest name of an engine, in characters. */
export const maxNameLength = 64;

/** A version: two integers, compared one after the other, so 0.10 is later than 0.9. */
export interface Version {
  readonly major: number;
  readonly minor: number;
}

/** A tag taken apart. Without `major` the highest version is meant, without `minor` the highest one of that major. */
export interface EngineTag {
  readonly name: string;
  readonly major?: number;
  readonly minor?: number;
}

const tagPattern = /^([A-Za-z0-9_-]{1,64})(?:@(0|[1-9][0-9]{0,8})(?:\.(0|[1-9][0-9]{0,8}))?)?$/;

/** A tag from its text, or undefined when it is none. */
export const parseTag = (text: string): EngineTag | undefined => {
  const [, name, major, minor] = tagPattern.exec(text) ?? [];
  if (name === undefined) return undefined;
  return {
    name,
    ...(major === undefined ? {} : { major: Number(major) }),
    ...(minor === undefined ? {} : { minor: Number(minor) }),
  };
};

/** A version from `major.minor`, or undefined when the text is none. */
export const parseVersion = (text: string): Version | undefined => {
  const tag = parseTag(`v@${text}`);
  return tag?.major === undefined || tag.minor === undefined ? undefined : { major: tag.major, minor: tag.minor };
};

/** Negative when `a` is earlier than `b`, positive when it is later, 0 when they are the same. */
export const compareVersions = (a: Version, b: Version): number => a.major - b.major || a.minor - b.minor;
