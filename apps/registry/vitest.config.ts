import { readdir, readFile } from "node:fs/promises";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineProject } from "vitest/config";
import { copyAssets } from "./scripts/assets.ts";
import { key, seedSql } from "./test/seed.ts";

await copyAssets();

const folder = new URL("migrations/", import.meta.url);

/** The migrations as they are tracked, by name. */
const tracked = async (): Promise<ReadonlyArray<readonly [string, string]>> =>
  Promise.all(
    (await readdir(folder)).map(async (name) => [name, await readFile(new URL(name, folder), "utf8")] as const),
  );

export default defineProject({
  plugins: [
    cloudflareTest(async () => ({
      wrangler: { configPath: "./wrangler.jsonc" },
      miniflare: {
        cf: false,
        bindings: {
          ACCESS_LOG: "off",
          PUBLIC_URL: "https://registry.example",
          BYTENITE_REGISTRY_KEY: key,
          SEED_SQL: await seedSql(),
          MIGRATIONS: Object.fromEntries(await tracked()),
        },
      },
    })),
  ],
  test: { name: "registry-worker", include: ["{src,test}/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 120_000 },
});
