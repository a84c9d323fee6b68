// Checks of protobuf against the contract, and the resulting `.proto`.
import { existsSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import type { DescMessage } from "@bufbuild/protobuf";
import {
  createEngineClient,
  type Fetch,
  type PromiseEngineClient,
  type ClientOptions,
} from "@bytenite-engines/core/promise";
import {
  type Profile,
  type ProfileField,
  FieldNumberInference,
  emitProto,
  emittedLintConfig,
  emittedPackage,
} from "@bytenite-engines/core/infer";
import {
  endpoints,
  schemaDigests,
  readNames,
  type ReadName,
  formatOf,
  matchPath,
  schemaDigestHeader,
} from "@bytenite-engines/core/wire";
import { pagesOf } from "../client/Pages.ts";
import { writeAtomically } from "../config/Files.ts";
import { found, type Check } from "./Check.ts";

/** Findings in the server's protobuf answers. */
export interface SchemaEvidence {
  readonly profile: Profile;
  /** The schema digest that each kind of answer carried; absent where none was had. */
  readonly digests: Readonly<Partial<Record<ReadName, string | null>>>;
  /** Whether any answer came as protobuf. */
  readonly protobuf: boolean;
  /** What did not fit, in words. */
  readonly misfits: ReadonlyArray<string>;
}

/** All findings about the schema. */
export const checkSchema = ({ profile, digests, protobuf, misfits }: SchemaEvidence): ReadonlyArray<Check> => {
  if (!protobuf) return [found("schema", "ok", "the server answers JSON only, which needs no numbers")];
  const claimed = new Set(
    readNames
      .filter((name) => digests[name] === schemaDigests[endpoints[name].response.typeName])
      .flatMap((name) => messagesIn(endpoints[name].response))
      .map(({ typeName }) => typeName),
  );
  const messages = [...new Set(readNames.flatMap((name) => messagesIn(endpoints[name].response)))];
  return [
    ...readNames.map((name) => digestCheck(name, digests[name])),
    ...misfits.map((detail) => found("schema", "failed", detail)),
    ...messages.flatMap((message) => fieldChecks(message, profile, claimed.has(message.typeName))),
  ];
};

const digestCheck = (name: ReadName, digest: string | null | undefined): Check => {
  const { typeName } = endpoints[name].response;
  if (digest === undefined) return found("schema digest", "unknown", "no answer to look at", typeName);
  if (digest === null) return found("schema digest", "unknown", "not sent; compared with the JSON", typeName);
  return digest === schemaDigests[typeName]
    ? found("schema digest", "ok", "ours", typeName)
    : found("schema digest", "different", "another one than ours", typeName);
};

const fieldChecks = (message: DescMessage, profile: Profile, claimed: boolean): ReadonlyArray<Check> => {
  const known = profile.messages[message.typeName];
  const checks = message.fields.map((field): Check => {
    const subject = `${message.name}.${field.jsonName}`;
    const theirs = known?.fields[field.name];
    if (theirs?.number === field.number) return found("field", "ok", `confirmed: ${field.number}`, subject);
    if (theirs?.number !== undefined) {
      return found(
        "field",
        claimed ? "failed" : "different",
        `${field.number} -> ${theirs.number}${claimed ? ", although the server sends our digest" : ""}`,
        subject,
      );
    }
    return claimed
      ? found("field", "ok", `by the digest: ${field.number}`, subject)
      : found("field", "unknown", openDetail(theirs), subject);
  });
  const strangers = known?.unknown ?? [];
  return strangers.length === 0
    ? checks
    : [
        ...checks,
        found("field", "different", `numbers that the contract does not have: ${strangers.join(", ")}`, message.name),
      ];
};

const openDetail = (field: ProfileField | undefined): string => {
  const candidates = [...new Set((field?.candidates ?? []).map(({ number }) => number))];
  if ((field?.seen ?? 0) === 0) return "never seen with a value";
  return `one of ${candidates.join(", ")}`;
};

/** A message type and those inside it, but for what Google publishes. */
const messagesIn = (root: DescMessage): ReadonlyArray<DescMessage> => [
  root,
  ...root.fields.flatMap(({ message }) =>
    message === undefined || message.typeName.startsWith("google.") ? [] : messagesIn(message),
  ),
];

/** Pages of the list that are read, at most. */
const maxPages = 5;
/** Engines that are read one by one, and their statuses, at most. */
const maxEngines = 8;

/** Reads up to some pages, engines and statuses in both formats. The digest is not trusted here but tested. */
export const inferSchema = async (
  options: ClientOptions & { readonly baseUrl: string; readonly fetch: Fetch },
  nowMs: number,
  signal: AbortSignal,
  onProgress: (text: string) => void,
): Promise<SchemaEvidence> => {
  const inference = new FieldNumberInference();
  const digests: Partial<Record<ReadName, string | null>> = {};
  let protobuf = false;
  const base = new URL(options.baseUrl).pathname.replace(/\/+$/, "");
  const client = createEngineClient({
    ...options,
    format: "json",
    middleware: [inference.middleware],
    fetch: async (url, init) => {
      const response = await options.fetch(url, init);
      if (formatOf(response.headers.get("content-type")) !== "protobuf" || response.status !== 200) return response;
      protobuf = true;
      const name = matchPath(new URL(url).pathname.slice(base.length))?.name;
      if (name !== undefined) digests[name] = response.headers.get(schemaDigestHeader);
      return response;
    },
  });
  await readAll(client, signal, onProgress);
  const { origin } = new URL(options.baseUrl);
  return { profile: inference.profile(origin, nowMs), digests, protobuf, misfits: inference.misfits };
};

const readAll = async (
  client: PromiseEngineClient,
  signal: AbortSignal,
  onProgress: (text: string) => void,
): Promise<void> => {
  const tags: Array<string> = [];
  for await (const { engines, pages } of pagesOf(client, {}, signal)) {
    onProgress(`comparing both forms, page ${pages}`);
    tags.push(...engines.map(({ name, version }) => `${name}@${version}`));
    if (pages >= maxPages) break;
  }
  for (const tag of tags.slice(0, maxEngines)) {
    onProgress(`comparing both forms of ${tag}`);
    await client.get(tag, { signal });
    await client.status(tag, { signal });
  }
};

const configName = "buf.yaml";

/** Where buf wants files of the emitted package, below the directory in which it runs. */
const packagePath = emittedPackage.replaceAll(".", sep);

/** Writes the .proto of what was found, if anything; what was done, in sentences. Throws FileError. */
export const writeProto = (path: string, evidence: SchemaEvidence | undefined): ReadonlyArray<string> => {
  if (evidence === undefined) return [`${path} was not written: the schema could not be looked at.`];
  if (!evidence.protobuf) return [`${path} was not written: the server answers JSON only, which has no field numbers.`];
  writeAtomically(path, emitProto(evidence.profile));
  return [`The numbering found is in ${path}.`, ...lintConfig(path)];
};

/** buf takes a file anywhere but at the path of its package for a mistake, unless a configuration says otherwise. */
const lintConfig = (path: string): ReadonlyArray<string> => {
  const directory = dirname(path);
  if (directory.endsWith(sep + packagePath)) return [];
  const existing = configAbove(directory);
  if (existing === undefined) {
    const config = join(directory, configName);
    writeAtomically(config, emittedLintConfig);
    return [`${config} next to it lets \`buf lint\` accept ${basename(path)} there.`];
  }
  return [
    `For \`buf lint\`, by ${existing}, write it to ${join(packagePath, basename(path))} below the root of a module.`,
  ];
};

/** The configuration that buf would take for a directory. */
const configAbove = (directory: string): string | undefined => {
  const config = join(directory, configName);
  if (existsSync(config)) return config;
  const above = dirname(directory);
  return above === directory ? undefined : configAbove(above);
};
