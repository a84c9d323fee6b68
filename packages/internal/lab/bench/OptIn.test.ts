import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";

const core = fileURLToPath(new URL("../../../core/src/", import.meta.url));

/** The modules of core that a bundle of an entry point is made from, by their paths in it. */
const modulesOf = async (entry: string): Promise<ReadonlyArray<string>> => {
  const bundle = await rolldown({ input: core + entry, platform: "browser", logLevel: "silent" });
  const { output } = await bundle.generate({ format: "esm", codeSplitting: false });
  await bundle.close();
  return Object.entries(output[0].modules).flatMap(([id, { code }]) =>
    id.startsWith(core) && code ? [id.slice(core.length)] : [],
  );
};

test.for(["promise.ts", "index.ts"])("%s costs nothing for what has to be imported apart", async (entry) => {
  const modules = await modulesOf(entry);
  expect(modules).toContain("Attempts.ts");
  const optIn = ["ApiKey", "LatencyHedging", "FailureRateBreaker", "MemoryServer", "HttpClientFetch", "details"];
  for (const name of optIn) expect(modules).not.toContain(`${name}.ts`);
  expect(modules.filter((module) => module.startsWith("infer/"))).toEqual([]);
});
