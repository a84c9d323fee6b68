// Stored field number profiles in later runs.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { expect, test } from "vitest";
import { as, bne, makeHome, type Home } from "./Bne.ts";
import { examined, withRegistry } from "./Doctor.ts";

/** A name and an entrypoint in each other's place: every answer decodes, and to texts that could be right. */
const swappedNumbers = { "bytenite.engine.Engine": { name: 10, entrypoint: 2 } };
const expected = "word-count app/main.py\n";
const named = async (registry: TestRegistry, home: Home): Promise<string> => {
  const asked = ["get", "word-count@0.9", "--jq", '.name + " " + .entrypoint'];
  return (await bne(home, asked, { env: as(registry, "bob") })).stdout;
};

test("commands ignore a digest that doctor found wrong, and send one request each", () =>
  withRegistry({ fieldNumbers: swappedNumbers, schemaDigest: true }, async (registry, home) => {
    const { schemaDigests } = await import("@bytenite-engines/core/wire");
    registry.faults.set([
      { on: { endpoint: "get" }, fault: { schemaDigest: schemaDigests["bytenite.engine.Engine"] ?? "" } },
    ]);
    await examined(home, registry);
    registry.requests.length = 0;
    for (let run = 0; run < 4; run++) expect(await named(registry, home)).toBe(expected);
    // One of them may be a sample.
    expect(registry.requests.length).toBeLessThanOrEqual(5);
  }));

test("a profile that does not hold is compared once, and not used again", async () => {
  using home = makeHome();
  await using before = await startRegistry({ schemaDigest: false });
  await using after = await startRegistry({ schemaDigest: false, fieldNumbers: swappedNumbers });
  await examined(home, before);
  const directory = join(home.path, "cache", "bytenite-engines", "field-numbers");
  const inferred = readFileSync(join(directory, readdirSync(directory)[0] ?? ""), "utf8");
  // The profile of the one is given to the other, as if it had been the same server.
  const fileOf = ({ origin }: TestRegistry) => join(directory, `${origin.replaceAll(/[^A-Za-z0-9.-]+/g, "_")}.json`);
  writeFileSync(fileOf(after), inferred.replaceAll(before.origin, after.origin));
  for (let run = 0; run < 3; run++) expect(await named(after, home)).toBe(expected);
  expect(after.requests).toHaveLength(4);
});

test("a server that does not name our schema is asked once more by the first command, and by no other", () =>
  withRegistry({ fieldNumbers: swappedNumbers, schemaDigest: false }, async (registry, home) => {
    for (let run = 0; run < 4; run++) expect(await named(registry, home)).toBe(expected);
    expect(registry.requests).toHaveLength(5);
  }));

test("an invalid profile is reported; one of a newer version is reported and stays", () =>
  withRegistry({ fieldNumbers: swappedNumbers, schemaDigest: false }, async (registry, home) => {
    await examined(home, registry);
    const directory = join(home.path, "cache", "bytenite-engines", "field-numbers");
    const file = join(directory, readdirSync(directory)[0] ?? "");
    const learned = readFileSync(file, "utf8");
    const run = () => bne(home, ["get", "word-count@0.9", "-o", "name"], { env: as(registry, "bob") });
    writeFileSync(file, "{");
    const anew = await run();
    expect(anew).toMatchObject({ code: 0, stdout: "word-count@0.9\n" });
    expect(anew.stderr).toContain("is not used (profile: it is not JSON); `bne doctor` writes it anew");
    await examined(home, registry);
    expect(readFileSync(file, "utf8")).toContain('"version": 1');
    expect((await run()).stderr).toBe("");
    const newer = learned.replace('"version": 1', '"version": 2');
    writeFileSync(file, newer);
    const other = await run();
    expect(other).toMatchObject({ code: 0, stdout: "word-count@0.9\n" });
    expect(other.stderr).toContain("only 1 can be read); a newer version seems to have written it, so it stays");
    await examined(home, registry);
    expect(readFileSync(file, "utf8")).toBe(newer);
  }));
