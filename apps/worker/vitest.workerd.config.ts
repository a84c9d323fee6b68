import { compatibilityDate, compatibilityFlags } from "@bytenite-engines/test-kit";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineProject } from "vitest/config";

/** Tests that run inside workerd. */
export default defineProject({
  plugins: [cloudflareTest({ miniflare: { compatibilityDate, compatibilityFlags, cf: false } })],
  test: {
    name: "worker-in-workerd",
    testTimeout: 120_000,
    hookTimeout: 120_000,
    include: ["{src,test}/**/*.workerd.test.ts"],
  },
});
