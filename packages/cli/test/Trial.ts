// A registry with the trial users and a home, for the tests of one file.
import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { afterAll, afterEach } from "vitest";
import { as, bne, makeHome, type Home, type Result } from "./Bne.ts";

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
