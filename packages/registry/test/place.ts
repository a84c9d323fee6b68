// Temporary directory for the databases of a test file.
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** The environment of those who seal secrets. */
export const key = { BYTENITE_REGISTRY_KEY: "0123456789abcdef0123456789abcdef" };

/** Where files can be left, and the flags of databases there that do not exist yet. */
export interface Place {
  readonly directory: string;
  readonly fresh: () => ReadonlyArray<string>;
}

/** Makes the directory; it goes when the tests of the file are over. */
export const place = (): Place => {
  const directory = mkdtempSync(join(tmpdir(), "registry-test-"));
  afterAll(() => rm(directory, { recursive: true, force: true }));
  let databases = 0;
  return { directory, fresh: () => ["--database", join(directory, `${databases++}.sqlite`)] };
};

/** What the API answers to the bearer of a token. */
export const get = (origin: string, path: string, token: string): Promise<Response> =>
  fetch(`${origin}/v1/dev${path}`, { headers: { Authorization: token } });
