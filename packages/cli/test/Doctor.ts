// `bne doctor` against test registries.
import { startRegistry, type TestRegistry, type TestRegistryOptions } from "@bytenite-engines/registry/testing";
import { as, bne, makeHome, type Home } from "./Bne.ts";

/** One look, and what came of it. */
export interface Finding {
  readonly check: string;
  readonly subject: string;
  readonly state: string;
  readonly detail: string;
}

/** Another numbering of engines, as a foreign server could have. */
export const otherNumbers = {
  "bytenite.engine.Engine": {
    id: 7,
    name: 9,
    version: 1,
    owner: 12,
    type: 2,
    status: 3,
    description: 8,
    hash: 6,
    link: 5,
    entrypoint: 4,
    revision: 21,
    created_at: 30,
    updated_at: 31,
    deleted_at: 32,
    platform: 40,
    platform_config: 41,
    device_requirements: 42,
    is_public: 43,
    user_name: 44,
  },
};

/** What doctor finds as bob. */
export const examined = async (
  home: Home,
  registry: TestRegistry,
  ...args: ReadonlyArray<string>
): Promise<{ readonly code: number | null; readonly well: boolean; readonly checks: ReadonlyArray<Finding> }> => {
  const { code, stdout } = await bne(home, ["doctor", "--output", "json", ...args], { env: as(registry, "bob") });
  return { code, ...(JSON.parse(stdout) as { well: boolean; checks: ReadonlyArray<Finding> }) };
};

/** Runs an action with a registry and a home of its own. */
export const withRegistry = async (
  options: TestRegistryOptions,
  action: (registry: TestRegistry, home: Home) => Promise<void>,
): Promise<void> => {
  await using registry = await startRegistry(options);
  using home = makeHome();
  await action(registry, home);
};

/** The findings of one kind of check. */
export const of = (checks: ReadonlyArray<Finding>, check: string, subject?: string): ReadonlyArray<Finding> =>
  checks.filter((finding) => finding.check === check && (subject === undefined || finding.subject === subject));
