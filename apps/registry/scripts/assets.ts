// Static assets of the docs page, copied for wrangler.
import { copyFile, mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const files = {
  "swagger-ui.css": import.meta.resolve("swagger-ui-dist/swagger-ui.css"),
  "swagger-ui-bundle.js": import.meta.resolve("swagger-ui-dist/swagger-ui-bundle.js"),
};

const target = new URL("../dist/assets/docs/", import.meta.url);

/** Makes `dist/assets`, anew or over what is there. */
export const copyAssets = async (): Promise<void> => {
  await mkdir(target, { recursive: true });
  for (const [name, url] of Object.entries(files)) await copyFile(fileURLToPath(url), new URL(name, target));
};

if (import.meta.main) await copyAssets();
