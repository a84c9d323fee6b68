// Profiles: the known field numbers of an origin as a document.
import { ScalarType, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { endpoints } from "../Endpoint.ts";
import { encodingsOf } from "../verify/FieldMatch.ts";
import { type Encoding } from "../verify/WireFields.ts";
import { evidenceOf, messagesOf, type Candidate, type Evidence, type MessageEvidence } from "./Evidence.ts";
import { maxNumbers } from "./Pair.ts";
import { solve } from "./Solution.ts";

/** An invalid profile; the message names the problem and its place. */
export class ProfileError extends Error {
  /** Whether it has a newer version than this code, which must not overwrite it. */
  readonly isNewer: boolean;

  constructor(problem: string, isNewer = false) {
    super(`profile: ${problem}`);
    this.name = "ProfileError";
    this.isNewer = isNewer;
  }
}

/** The written form only: `Date.parse` also accepts comments, and the date goes into a `.proto`. */
const isMoment = (date: unknown): boolean =>
  typeof date === "string" && /^[\d:.TZ+-]+$/.test(date) && !Number.isNaN(Date.parse(date));

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isObject = <T>(value: T | undefined): value is T & object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Value of the first key of a profile. */
export const profileKind = "bytenite-engines/field-numbers";
/** Version of the format, the only one that is read. */
export const profileVersion = 1;

/** A number of a field, and its encoding: `message`, or a scalar type such as `string` or `sint32`. */
export interface ProfileNumber {
  readonly number: number;
  readonly type: string;
}

/** A field: its number, its possible numbers, or neither. */
export interface ProfileField extends Partial<ProfileNumber> {
  /** Messages in which it was populated. */
  readonly seen: number;
  readonly candidates?: ReadonlyArray<ProfileNumber>;
}

/** A message type. */
export interface ProfileMessage {
  /** Messages of this type that were compared with their JSON. */
  readonly compared: number;
  /** All fields of the contract, by proto name. */
  readonly fields: Readonly<Record<string, ProfileField>>;
  /** Numbers of fields that the contract does not have. */
  readonly unknown: ReadonlyArray<number>;
}

/** The known field numbers of an origin. Has no values of responses. */
export interface Profile {
  readonly kind: typeof profileKind;
  readonly version: typeof profileVersion;
  readonly origin: string;
  /** When it was written (ISO 8601, UTC). */
  readonly date: string;
  /** By full name of the message. */
  readonly messages: Readonly<Record<string, ProfileMessage>>;
}

/** All messages in responses, in the order of a profile. */
export const profiledMessages: ReadonlyArray<DescMessage> = [
  ...new Set(Object.values(endpoints).flatMap(({ response }) => messagesOf(response))),
];

/** The profile of an origin from its evidence. `nowMs` is the time in milliseconds since 1970. */
export const profileOf = (origin: string, evidence: Evidence, nowMs: number): Profile => ({
  kind: profileKind,
  version: profileVersion,
  origin,
  date: new Date(nowMs).toISOString(),
  messages: Object.fromEntries(
    profiledMessages
      .filter(({ typeName }) => evidence.has(typeName))
      .map((message) => [message.typeName, messageProfile(message, evidenceOf(evidence, message))]),
  ),
});

const messageProfile = (message: DescMessage, evidence: MessageEvidence): ProfileMessage => {
  const numbering = solve(message, evidence);
  const fields = message.fields.map((field): [string, ProfileField] => {
    const seen = evidence.fields.get(field.name)?.seen ?? 0;
    const candidates = (numbering?.possible.get(field.name) ?? []).map(numberOf);
    const [only, ...others] = candidates;
    if (only === undefined) return [field.name, { seen }];
    return [field.name, seen > 0 && others.length === 0 ? { ...only, seen } : { seen, candidates }];
  });
  const unknown = [...(numbering?.foreign ?? [])].toSorted((a, b) => a - b);
  return { compared: evidence.records, fields: Object.fromEntries(fields), unknown };
};

const numberOf = ({ number, encoding }: Candidate): ProfileNumber => ({ number, type: nameOf(encoding) });

const nameOf = (encoding: Encoding): string => (encoding === "message" ? encoding : ScalarType[encoding].toLowerCase());

/** The profile as text: one JSON document, keys in a fixed order. */
export const writeProfile = (profile: Profile): string => `${JSON.stringify(profile, undefined, 2)}\n`;

/** Reads a profile from its text. Throws ProfileError. */
export const parseProfile = (text: string): Profile => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new ProfileError("it is not JSON");
  }
  const profile = json as Profile;
  evidenceFrom(profile);
  return profile;
};

/** The evidence of a profile. Throws ProfileError for an invalid one, or one for another contract. */
export const evidenceFrom = (profile: Profile): Evidence => {
  if (!isObject(profile) || profile.kind !== profileKind) throw new ProfileError(`"kind" must be "${profileKind}"`);
  if (profile.version !== profileVersion) {
    const isNewer = isCount(profile.version) && profile.version > profileVersion;
    throw new ProfileError(`"version" is ${JSON.stringify(profile.version)}; only 1 can be read`, isNewer);
  }
  if (!URL.canParse(profile.origin) || new URL(profile.origin).origin !== profile.origin) {
    throw new ProfileError('"origin" must be an origin, such as https://api.example');
  }
  if (!isMoment(profile.date)) {
    throw new ProfileError('"date" must be a date (ISO 8601)');
  }
  if (!isObject(profile.messages)) throw new ProfileError('"messages" must be an object');
  return new Map(
    Object.entries(profile.messages).map(([typeName, message]) => {
      const schema = profiledMessages.find((candidate) => candidate.typeName === typeName);
      if (schema === undefined) throw new ProfileError(`${typeName} is not a message of the contract`, true);
      return [typeName, messageEvidence(schema, message)];
    }),
  );
};

const messageEvidence = (schema: DescMessage, profile: ProfileMessage): MessageEvidence => {
  const at = schema.typeName;
  if (!isObject(profile) || !isObject(profile.fields)) throw new ProfileError(`${at} must be an object with "fields"`);
  const { compared, fields: written, unknown } = profile;
  if (!isCount(compared)) throw new ProfileError(`${at}: "compared" must be a whole number`);
  if (!Array.isArray(unknown)) throw new ProfileError(`${at}: "unknown" must be a list of numbers`);
  const stranger = Object.keys(written).find((name) => !schema.fields.some((field) => field.name === name));
  if (stranger !== undefined)
    throw new ProfileError(`${at} has no field ${stranger} in this version of the contract`, true);
  const fields = new Map(schema.fields.map((field) => [field.name, fieldEvidence(field, written[field.name])]));
  for (const number of unknown) assertNumber(number, `${at}: "unknown"`);
  const held = [...fields.values()].flatMap(({ candidates }) => candidates.map(({ number }) => number));
  const evidence = { records: compared, numbers: new Set([...held, ...unknown]), fields };
  if (evidence.numbers.size > maxNumbers) throw new ProfileError(`${at} has more than ${maxNumbers} numbers`);
  const clash = unknown.find((number) => held.includes(number));
  if (clash !== undefined) throw new ProfileError(`${at}: number ${clash} is unknown and a field's at once`);
  if (solve(schema, evidence) === undefined) throw new ProfileError(`${at}: two fields have the same number`);
  return evidence;
};

const fieldEvidence = (
  field: DescField,
  written: ProfileField | undefined,
): { seen: number; candidates: Array<Candidate> } => {
  const at = `${field.parent.typeName}.${field.name}`;
  // A profile for an older contract: its unknown numbers may be this very field's.
  if (!isObject(written))
    throw new ProfileError(`${at} is missing; the profile is for another version of the contract`);
  const { seen, number, type, candidates } = written;
  if (!isCount(seen)) throw new ProfileError(`${at}: "seen" must be a whole number`);
  if (candidates !== undefined && !Array.isArray(candidates))
    throw new ProfileError(`${at}: "candidates" must be a list`);
  const listed = number === undefined ? (candidates ?? []) : [{ number, type: type ?? "" }];
  if (seen > 0 && listed.length === 0)
    throw new ProfileError(`${at} was seen, but has neither "number" nor "candidates"`);
  if (seen === 0 && number !== undefined) throw new ProfileError(`${at} has a "number", but was never seen`);
  return { seen, candidates: listed.map((candidate) => candidateOf(field, candidate, at)) };
};

const candidateOf = (field: DescField, written: ProfileNumber, at: string): Candidate => {
  const number = assertNumber(written?.number, at);
  const encodings = encodingsOf(field);
  const encoding = encodings.find((candidate) => nameOf(candidate) === written.type);
  if (encoding !== undefined) return { number, encoding };
  throw new ProfileError(`${at}: type ${JSON.stringify(written.type)} is none of ${encodings.map(nameOf).join(", ")}`);
};

/** Largest field number that protobuf allows. */
const maxFieldNumber = 536_870_911;

const assertNumber = (number: unknown, at: string): number => {
  if (isCount(number) && number >= 1 && number <= maxFieldNumber) return number;
  throw new ProfileError(`${at}: ${JSON.stringify(number)} is not a field number`);
};
