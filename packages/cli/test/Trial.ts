// A registry with trial users and a home, per test file.
import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { afterAll, afterEach } from "vitest";
import { type Result } from "@bytenite-engines/test-kit/process";
import { as, bne, makeHome, type Home } from "./Bne.ts";

/** What the tests of a file share. */
interface Trial {
  readonly registry: TestRegistry;
  readonly home: Home;
  /** Runs bne as this user. */
  readonly alice: (...args: ReadonlyArray<string>) => Promise<Result>;
  readonly bob: (...args: ReadonlyArray<string>) => Promise<Result>;
}

/** Starts them; faults end with each test, the rest with the file. */
export const trial = async (): Promise<Trial> => {
  const registry = await startRegistry();
  const home = makeHome();
  afterEach(() => registry.faults.clear());
  afterAll(async () => {
    await registry.stop();
    home[Symbol.dispose]();
  });
  const runAs =
    (user: string) =>
    (...args: ReadonlyArray<string>): Promise<Result> =>
      bne(home, args, { env: as(registry, user) });
  return { registry, home, alice: runAs("alice"), bob: runAs("bob") };
};

/**
 * A registry for the tests of one file, and the environment that points at it. With a name, the folder of an engine is in the home
 * and was pushed.
 */
export const archives = async (
  home: Home,
  name?: string,
): Promise<{ readonly env: Readonly<Record<string, string>> }> => {
  const registry = await startRegistry({ users: [{ name: "carol", token: "good" }] });
  afterAll(() => registry.stop());
  const env = { BYTENITE_BASE_URL: registry.url, BYTENITE_TOKEN: "good" };
  if (name !== undefined) {
    await bne(home, ["new", name, "--type", "partitioner"]);
    await bne(home, ["push", name], { env });
  }
  return { env };
};
