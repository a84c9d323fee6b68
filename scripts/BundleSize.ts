// Decides: how large each door of a package may be once bundled, minified and compressed.
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

/** Largest size of each entry point, in bytes after minification and gzip. */
export const bundleLimits = {
  "packages/core/src/promise.ts": 52_000,
} as const satisfies Readonly<Record<string, number>>;

/** Size of an entry point with all that it imports, as a browser would load it: minified, gzip, in bytes. */
export const bundleSize = async (entry: string): Promise<number> => {
  const bundle = await rolldown({ input: entry, platform: "browser", treeshake: true, logLevel: "silent" });
  try {
    const { output } = await bundle.generate({ format: "esm", minify: true, codeSplitting: false });
    return gzipSync(output[0].code, { level: 9 }).length;
  } finally {
    await bundle.close();
  }
};

/** Fails when an entry point has outgrown its limit. */
export const checkBundleSizes = async (): Promise<void> => {
  const tooLarge: Array<string> = [];
  for (const [entry, limit] of Object.entries(bundleLimits)) {
    const size = await bundleSize(entry);
    if (size > limit) tooLarge.push(`${entry} is ${size} bytes minified and compressed, more than ${limit}`);
  }
  if (tooLarge.length > 0) throw new Error(tooLarge.join("\n"));
};
