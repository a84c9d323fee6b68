// Bundle of the Worker as one ES module: dist/worker.js.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { bundled } from "@bytenite-engines/test-kit";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

await rm(path("../dist"), { recursive: true, force: true });
await mkdir(path("../dist"));
await writeFile(path("../dist/worker.js"), await bundled(path("../src/worker.ts")));
