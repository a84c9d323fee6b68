import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineProject } from "vitest/config";
import { compatibilityDate } from "./scripts/serve.ts";

/** Tests that run inside workerd. */
export default defineProject({
  plugins: [cloudflareTest({ miniflare: { compatibilityDate, cf: false } })],
  test: {
    name: "worker-in-workerd",
    testTimeout: 120_000,
    hookTimeout: 120_000,
    include: ["{src,test}/**/*.workerd.test.ts"],
  },
});
