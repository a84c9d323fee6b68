// Mutated rules and the tests that must notice.

/** The rules of one package. Paths are relative to it. */
export interface Target {
  readonly name: string;
  readonly directory: string;
  readonly mutate: ReadonlyArray<string>;
  /** The tests that are run, as globs: those that need a server or a process say little about a rule, and take long. */
  readonly tests: ReadonlyArray<string>;
}

/** The files whose rules are changed, from the root of the repository. */
export const filesOf = ({ directory, mutate }: Target): ReadonlyArray<string> =>
  mutate.map((path) => `${directory}/${path}`);

/** All of them. */
export const targets: ReadonlyArray<Target> = [
  {
    name: "core",
    directory: "packages/core",
    mutate: [
      "src/Retry.ts",
      "src/RetryBudget.ts",
      "src/RetryHint.ts",
      "src/Negotiation.ts",
      "src/EngineTag.ts",
      "src/HttpRules.ts",
    ],
    tests: ["src/Retry*.test.ts", "src/Negotiation.test.ts", "src/EngineTag.test.ts", "src/HttpRules.test.ts"],
  },
  {
    name: "verify",
    directory: "packages/core",
    mutate: ["src/verify/SchemaVerifier.ts"],
    tests: ["src/verify/SchemaVerifier.test.ts"],
  },
  {
    name: "http-cache",
    directory: "packages/http-cache",
    mutate: [
      "src/CacheControl.ts",
      "src/CacheEntry.ts",
      "src/CacheOptions.ts",
      "src/CacheStatus.ts",
      "src/Conditions.ts",
      "src/Freshness.ts",
      "src/HeaderFields.ts",
      "src/HopByHop.ts",
      "src/HttpCache.ts",
      "src/HttpDate.ts",
      "src/Invalidation.ts",
      "src/Range.ts",
      "src/RequestDirectives.ts",
      "src/ResponseDirectives.ts",
      "src/Reuse.ts",
      "src/StoredFields.ts",
      "src/Storing.ts",
      "src/TargetedFields.ts",
      "src/Validation.ts",
      "src/Vary.ts",
      "src/compat/CachePolicy.ts",
    ],
    tests: ["src/**/*.test.ts"],
  },
  {
    name: "worker",
    directory: "apps/worker",
    mutate: ["src/Purge.ts"],
    tests: ["src/Purge.test.ts"],
  },
  {
    name: "registry",
    directory: "packages/registry",
    mutate: ["src/api/EngineStore.ts"],
    tests: ["src/api/*.test.ts", "test/tagResolution.test.ts"],
  },
];
