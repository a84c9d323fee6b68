// Check of bundle sizes and the sizes stated in READMEs.
import { fileURLToPath } from "node:url";
import { checkBundleSizes } from "./BundleSize.ts";

process.chdir(fileURLToPath(new URL("../../../../", import.meta.url)));
await checkBundleSizes();
