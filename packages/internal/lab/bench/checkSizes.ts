// Check of bundle sizes and of the sizes that READMEs state; `pnpm check` runs it, after a build.
import { fileURLToPath } from "node:url";
import { checkBundleSizes } from "./BundleSize.ts";

process.chdir(fileURLToPath(new URL("../../../../", import.meta.url)));
await checkBundleSizes();
