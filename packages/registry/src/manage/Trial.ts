// Trial users and sample engines of a new registry on loopback.
import { fromJson } from "@bufbuild/protobuf";
import { TimestampSchema, type Timestamp } from "@bufbuild/protobuf/wkt";
import type { Engine } from "@bytenite-engines/proto";
import { packTar } from "modern-tar";
import { addArchive } from "../archive/ArchiveRows.ts";
import type { StoredArchive } from "../archive/ArchiveStore.ts";
import type { SqliteFile } from "../node/SqliteFile.ts";
import { addCredential, ensureUser, listUsers } from "./Accounts.ts";
import { publishAll, type EngineInit } from "./Engines.ts";

/** A user of a trial. The token is publicly known, and works on loopback only. */
export interface TrialUser {
  readonly id: string;
  readonly name: string;
  readonly token: string;
  readonly engines: ReadonlyArray<EngineInit>;
}

const at = (text: string): Timestamp => fromJson(TimestampSchema, text);

const publicEngine = (name: string, version: string, day: number, rest: EngineInit): EngineInit => ({
  name,
  version,
  status: "active",
  isPublic: true,
  createdAt: at(`2025-04-${day}T09:30:00Z`),
  updatedAt: at(`2025-06-${day}T14:05:21.250Z`),
  ...rest,
});

/** A sample with code of its own, in the image that all samples use. */
const pythonEngine = (name: string, version: string, day: number, rest: Exclude<EngineInit, Engine>): EngineInit =>
  publicEngine(name, version, day, {
    entrypoint: "main.py",
    platform: "docker",
    platformConfig: { container: "python:latest" },
    ...rest,
  });

const samples: ReadonlyArray<EngineInit> = [
  pythonEngine("fanout-replica", "0.1", 10, {
    id: "6c1f0a52-6d0c-4a55-9a4b-2f0d5b0c7e01",
    type: "partitioner",
    revision: 3,
    description: "Sends the same input to as many tasks as are asked for.",
    deviceRequirements: { minCpu: 2, minMemory: 4 },
  }),
  pythonEngine("zipper", "0.1", 11, {
    id: "0b8be0d1-5a6f-4c1b-8a43-6f2f2f3c9e02",
    type: "assembler",
    revision: 2,
    description: "Packs the results of all tasks into one zip archive.",
    deviceRequirements: { minCpu: 2, minMemory: 2 },
  }),
  pythonEngine("fanout-urls", "0.5", 12, {
    id: "b7d9c6a4-93c8-4f0e-9a53-4b8a1f7d3c03",
    type: "partitioner",
    revision: 7,
    description: "Starts one task per URL of a list.",
    deviceRequirements: { minCpu: 1, minMemory: 2 },
  }),
  pythonEngine("data-assembler", "0.3", 13, {
    id: "e3a2f5b8-1c7d-4e96-b0f2-8d6c5a4b2904",
    type: "assembler",
    revision: 4,
    description: "Joins the results of all tasks into one data set.",
    deviceRequirements: { minCpu: 1, minMemory: 2 },
  }),
  publicEngine("passthrough", "0.1", 14, {
    id: "2d4c6b8a-7e5f-4d3c-9b1a-0f8e7d6c5b05",
    revision: 1,
    description: "Built in: passes data on as it is, as a partitioner or as an assembler.",
  }),
];

const ownEngines: ReadonlyArray<EngineInit> = [
  {
    id: "9f1e2d3c-4b5a-4697-8c8d-7e6f5a4b3c11",
    name: "word-count",
    version: "0.9",
    type: "assembler",
    status: "active",
    description: "Adds up the words that the tasks have counted.",
    link: "https://downloads.example/word-count-0.9.zip",
    entrypoint: "app/main.py",
    revision: 2,
    createdAt: at("2025-05-01T08:00:00Z"),
    updatedAt: at("2025-05-02T08:00:00.125Z"),
    platform: "docker",
    platformConfig: { container: "python:3.13-slim", secrets: ["S3_KEY", "S3_SECRET"] },
    deviceRequirements: { minCpu: 0.5, minMemory: 0.1 },
  },
  {
    id: "1a2b3c4d-5e6f-4708-9a0b-c1d2e3f4a512",
    name: "word-count",
    version: "0.10",
    type: "assembler",
    status: "inactive",
    description: "Adds up the words that the tasks have counted, by language.",
    link: "https://downloads.example/word-count-0.10.zip",
    entrypoint: "app/main.py",
    revision: 1,
    createdAt: at("2025-05-20T10:15:30.123456789Z"),
    updatedAt: at("2025-05-20T10:15:31Z"),
    platform: "docker",
    platformConfig: { container: "python:3.14-slim", secrets: ["S3_KEY", "S3_SECRET"] },
    deviceRequirements: { minCpu: 1.5, minMemory: 3 },
  },
  {
    id: "5e4d3c2b-1a09-4f8e-8d7c-6b5a49382713",
    name: "frame-splitter",
    version: "1.2",
    type: "partitioner",
    status: "active",
    description: "Cuts a film into scenes and hands each to a task with a GPU.",
    link: "https://downloads.example/frame-splitter-1.2.zip",
    entrypoint: "split.py",
    revision: 12,
    createdAt: at("2024-12-31T23:59:59.999Z"),
    updatedAt: at("2025-07-04T06:30:00Z"),
    platform: "docker",
    platformConfig: { container: "images.example/bob/frames:1.2", privateImage: true, username: "bob" },
    deviceRequirements: { minCpu: 8, minMemory: 32, gpu: ["tesla t4", "nvidia a100-sxm4-40gb"] },
  },
];

/** The users of a trial: `alice` owns the sample engines that upstream publishes, `bob` has others of his own. */
export const trialUsers: ReadonlyArray<TrialUser> = [
  { id: "a11ce000-0000-4000-8000-000000000001", name: "alice", token: "local-alice", engines: samples },
  { id: "b0b00000-0000-4000-8000-000000000002", name: "bob", token: "local-bob", engines: ownEngines },
];

/** The trial token of a user; publicly known, and valid in a trial on loopback only. */
export const trialTokenOf = (name: string): string => `local-${name}`;

/** Gives every user of a new database a trial token. */
export const giveTrialTokens = async (file: SqliteFile, now: number): Promise<void> => {
  for (const { user } of listUsers(file))
    await addCredential(file, user, "trial", trialTokenOf(user.name), now, "publish");
};

/** Stores an archive. */
export type KeepSample = (archive: Uint8Array) => Promise<StoredArchive>;

const utf8 = new TextEncoder();

/** The archive of a sample: its manifest and a script that says which it is. The same bytes each time. */
const sampleArchive = (engine: EngineInit): Promise<Uint8Array> => {
  const {
    name = "",
    version = "",
    type = "",
    description = "",
    entrypoint = "",
    platform = "",
    platformConfig: { container = "", secrets = [] } = {},
  } = engine;
  const manifest = { name, version, type, description, entrypoint, platform, platform_config: { container, secrets } };
  const files = {
    "manifest.json": `${JSON.stringify(manifest, null, 2)}\n`,
    [`app/${entrypoint.replace(/^app\//, "")}`]: `"""${description}"""\n\nprint("${name} ${version}")\n`,
  };
  return packTar(
    Object.entries(files).map(([path, text]) => {
      const body = utf8.encode(text);
      return { header: { name: path, size: body.length, type: "file", mtime: new Date(0), mode: 0o644 }, body };
    }),
  );
};

const hashOf = async (bytes: Uint8Array): Promise<string> =>
  btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(bytes)))));

/** Puts the users of a trial and their engines into a database, and the archives of those that have code where `keep` stores them. */
export const seedTrial = async (file: SqliteFile, now: number, keep?: KeepSample): Promise<void> => {
  for (const { id, name, token, engines } of trialUsers) {
    const user = ensureUser(file, name, now, id);
    const archives: Array<{ readonly engine: string; readonly stored: StoredArchive }> = [];
    const whole: Array<EngineInit> = [];
    for (const engine of engines) {
      if (engine.entrypoint === undefined || engine.entrypoint === "") {
        whole.push(engine);
        continue;
      }
      const archive = await sampleArchive(engine);
      whole.push({ ...engine, hash: await hashOf(archive) });
      if (keep !== undefined) archives.push({ engine: engine.id ?? "", stored: await keep(archive) });
    }
    await publishAll(file, user, whole, undefined, now);
    file.transaction((run) => {
      for (const { engine, stored } of archives) {
        const { sql, values } = addArchive({ ...stored, mediaType: "application/x-tar", isSealed: false }, engine, now);
        run(sql, ...values);
      }
    });
    await addCredential(file, user, "trial", token, now, "publish");
  }
};
