// Ends with 0 when no door and no built file has outgrown its limit; `pnpm check` runs it, after a build.
import { fileURLToPath } from "node:url";
import { checkBundleSizes } from "./BundleSize.ts";

process.chdir(fileURLToPath(new URL("../../../../", import.meta.url)));
await checkBundleSizes();
