// Parser for `manifest.json`, with all problems by line and column.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { parseTag, parseVersion } from "@bytenite-engines/core/wire";
import type { DeviceRequirementsSchema, PlatformConfigSchema } from "@bytenite-engines/proto";
import type { EngineInit } from "./Engines.ts";
import { complain, membersOf, parseJson, type Kind, type Members, type Reading } from "./JsonMembers.ts";

/** Longest manifest, in characters. */
export const maxManifestCharacters = 1_024 * 1_024;

/** The same in bytes: a character takes four at most. */
export const maxManifestBytes = 4 * maxManifestCharacters;

/** Default entrypoint, as upstream. */
const defaultEntrypoint = "main.py";

const engineMembers = {
  name: "text",
  version: "text",
  type: "text",
  description: "text",
  entrypoint: "text",
  platform: "text",
  platform_config: "object",
  device_requirements: "object",
  hash: "text",
  link: "text",
  is_public: "boolean",
} as const satisfies Readonly<Record<string, Kind>>;

const platformMembers = {
  container: "text",
  private_image: "boolean",
  username: "text",
  token: "text",
  secrets: "texts",
} as const satisfies Readonly<Record<string, Kind>>;

const requirementMembers = {
  min_cpu: "amount",
  min_memory: "amount",
  gpu: "texts",
} as const satisfies Readonly<Record<string, Kind>>;

/** All problems of a manifest, each with file, line and column. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
  readonly problems: ReadonlyArray<string>;
  constructor(problems: ReadonlyArray<string>) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** The engine of a manifest. `source` is how messages name it. Throws ManifestError with all problems at once. */
export const parseManifest = (text: string, source: string): EngineInit => {
  if (text.length > maxManifestCharacters) {
    throw new ManifestError([`${source}: is longer than ${maxManifestCharacters} characters`]);
  }
  // A byte order mark is not JSON, but editors write it.
  const reading: Reading = { source, text: text.startsWith("\u{FEFF}") ? text.slice(1) : text, problems: [] };
  const root = parseJson(reading);
  const engine = reading.problems.length > 0 ? undefined : engineIn(reading, root);
  if (engine === undefined || reading.problems.length > 0) throw new ManifestError(reading.problems);
  return engine;
};

const engineIn = (reading: Reading, root: unknown): EngineInit => {
  const members = membersOf(reading, root, [], engineMembers);
  checkTexts(reading, members);
  const { platform_config: platformConfig, device_requirements: deviceRequirements } = members;
  return {
    name: textAt(members, "name"),
    version: textAt(members, "version"),
    type: textAt(members, "type"),
    description: textAt(members, "description"),
    entrypoint: textAt(members, "entrypoint") || defaultEntrypoint,
    platform: textAt(members, "platform"),
    hash: textAt(members, "hash"),
    link: textAt(members, "link"),
    isPublic: members["is_public"] === true,
    ...(platformConfig === undefined ? {} : { platformConfig: platformConfigIn(reading, platformConfig) }),
    ...(deviceRequirements === undefined ? {} : { deviceRequirements: requirementsIn(reading, deviceRequirements) }),
  };
};

/** Form of a hash. */
export const isHash = (text: string): boolean => /^[A-Za-z0-9+/]{43}=$/.test(text);

const rules: ReadonlyArray<{ name: string; needed: boolean; holds: (text: string) => boolean; says: string }> = [
  {
    name: "name",
    needed: true,
    holds: (text) => parseTag(text)?.name === text,
    says: "1 to 64 letters, digits, - or _",
  },
  {
    name: "version",
    needed: true,
    holds: (text) => parseVersion(text) !== undefined,
    says: 'major.minor, as in "0.1"',
  },
  {
    name: "hash",
    needed: false,
    holds: (text) => text === "" || isHash(text),
    says: "the base64 of a SHA-256",
  },
];

const checkTexts = (reading: Reading, members: Members): void => {
  const complained = reading.problems.length > 0;
  for (const { name, needed, holds, says } of rules) {
    const text = members[name];
    if (text === undefined) {
      // A wrong type was reported already.
      if (needed && !complained) complain(reading, { names: [] }, `${name} is missing`);
    } else if (!holds(text as string)) complain(reading, { names: [name] }, `${name} must be ${says}`);
  }
};

const platformConfigIn = (reading: Reading, value: unknown): MessageInitShape<typeof PlatformConfigSchema> => {
  const members = membersOf(reading, value, ["platform_config"], platformMembers);
  return {
    container: textAt(members, "container"),
    privateImage: members["private_image"] === true,
    username: textAt(members, "username"),
    token: textAt(members, "token"),
    secrets: textsAt(members, "secrets"),
  };
};

const requirementsIn = (reading: Reading, value: unknown): MessageInitShape<typeof DeviceRequirementsSchema> => {
  const members = membersOf(reading, value, ["device_requirements"], requirementMembers);
  return {
    minCpu: Number(members["min_cpu"] ?? 0),
    minMemory: Number(members["min_memory"] ?? 0),
    gpu: textsAt(members, "gpu"),
  };
};

const textAt = (members: Members, name: string): string => (members[name] as string | undefined) ?? "";

const textsAt = (members: Members, name: string): Array<string> => [
  ...((members[name] as ReadonlyArray<string> | undefined) ?? []),
];
