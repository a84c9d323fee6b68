import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineProject } from "vitest/config";
import { copyAssets } from "./scripts/assets.ts";
import { key, seedSql } from "./test/seed.ts";

await copyAssets();

export default defineProject({
  plugins: [
    cloudflareTest(async () => ({
      wrangler: { configPath: "./wrangler.jsonc" },
      miniflare: {
        cf: false,
        // A slow machine must not let calls through that a fast one refuses.
        bindings: { ACCESS_LOG: "off", RATE_PER_SECOND: "1", BYTENITE_REGISTRY_KEY: key, SEED_SQL: await seedSql() },
      },
    })),
  ],
  test: { name: "registry-worker", include: ["{src,test}/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 120_000 },
});
