// Contents of a large registry: users, engines, public share.
import { execFile } from "node:child_process";
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { addCredential, openSqlite, userOf } from "@bytenite-engines/registry";

/** One engine in so many is public. */
const publicOneIn = 10;

/** The token of a user by number. */
export const tokenOf = (user: number): string => `token-of-user-${user}-for-the-bench`;

/** The name of the engine of a number; its owner is the user of the rest of its division by the number of users. */
export const nameOf = (engine: number): string => `engine-${engine}`;

/** Time and memory of filling. */
export interface Filled {
  readonly engines: number;
  readonly seconds: number;
  /** Highest memory of the importing process. */
  readonly peakResidentBytes: number;
}

/** Manifests as lines, for one user. */
export const manifestLines = function* (count: number): Generator<string> {
  for (let index = 0; index < count; index++) {
    yield `${JSON.stringify({
      name: nameOf(index),
      version: `0.${index % 7}`,
      type: index % 2 === 0 ? "partitioner" : "assembler",
      description: `Does what engine ${index} of this bench is meant to do.`,
      platform: "docker",
      platform_config: { container: "python:latest", secrets: ["S3_KEY"] },
      device_requirements: { min_cpu: 2, min_memory: 4.5, gpu: ["tesla t4"] },
      is_public: index % publicOneIn === 0,
    })}\n`;
  }
};

/** Engines as an export writes them, spread over users. */
export const engineLines = function* (count: number, users: number): Generator<string> {
  for (let index = 0; index < count; index++) {
    const createdAt = new Date(1_700_000_000_000 + index * 1_000).toISOString();
    yield `${JSON.stringify({
      id: `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`,
      name: nameOf(index),
      version: `0.${index % 7}`,
      type: index % 2 === 0 ? "partitioner" : "assembler",
      status: "active",
      description: `Does what engine ${index} of this bench is meant to do.`,
      hash: "dDlS/x2P2/i4hYTguOLu0Gt8jLKD0qVMbSXOek3vS5c=",
      entrypoint: "main.py",
      revision: 1,
      createdAt,
      updatedAt: createdAt,
      platform: "docker",
      platformConfig: { container: "python:latest" },
      deviceRequirements: { minCpu: 2, minMemory: 4.5 },
      isPublic: index % publicOneIn === 0,
      userName: `user-${index % users}`,
    })}\n`;
  }
};

/** Imports lines into a database. */
export const fill = async (database: string, lines: Iterable<string>, user?: string): Promise<Filled> => {
  const input = `${database}.ndjson`;
  await pipeline(lines, createWriteStream(input));
  const { stdout } = await run(process.execPath, [script, database, input, ...(user === undefined ? [] : [user])]);
  await rm(input);
  return JSON.parse(stdout) as Filled;
};

const run = promisify(execFile);
const script = fileURLToPath(new URL("importLines.ts", import.meta.url));

/** Gives every user a token. */
export const letIn = async (database: string, users: number): Promise<void> => {
  const file = openSqlite(database);
  for (let user = 0; user < users; user++) {
    await addCredential(file, userOf(file, `user-${user}`), "token", tokenOf(user), Date.now());
  }
  file.close();
};
