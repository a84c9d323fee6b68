// Installed packages in workerd.
import { compatibilityDate, emulate, moduleOf } from "@bytenite-engines/test-kit";
import { expect, inject, onTestFinished, test } from "vitest";
import { bundled } from "../src/Bundled.ts";
import { managers } from "../src/InstalledProject.ts";
import { serve } from "../src/Serve.ts";

test.for(managers)("a Worker lists engines in workerd, installed by %s", async (manager) => {
  const project = inject("projects")[manager];
  const registry = await serve(project);
  onTestFinished(registry.stop);
  const contents = await bundled(project, "worker.js", "workers");
  const miniflare = await emulate([
    {
      config: {
        name: "consumer",
        compatibilityDate,
        manifest: moduleOf(contents),
        env: {
          BASE_URL: { type: "text", value: registry.url },
          TOKEN: { type: "text", value: "local-bob" },
        },
      },
    },
  ]);
  onTestFinished(() => miniflare.dispose());
  const answer = await fetch(await miniflare.ready, { headers: { "Cache-Control": "no-store" } });
  const result = (await answer.json()) as { readonly names: ReadonlyArray<string> };
  expect(result).toMatchObject({ mediaType: "application/x-protobuf", noStore: true });
  expect(result.names.length).toBeGreaterThan(0);
});
