// Sizes of entry points, bundled, minified and compressed, and their limits.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

/** Largest size of each entry point, in bytes after minification and gzip. */
export const bundleLimits = {
  "packages/core/src/promise.ts": 48_000,
  "packages/core/src/index.ts": 86_200,
  "packages/core/src/exchange.ts": 29_000,
  "packages/core/src/json.ts": 35_000,
  "packages/core/src/wire.ts": 36_000,
  "packages/http-cache/src/HttpCache.ts": 8_240,
  "packages/http-cache/src/index.ts": 9_216,
  "packages/http-cache/src/compat/index.ts": 8_000,
} as const satisfies Readonly<Record<string, number>>;

/** Size of an entry point with all that it imports but `external`, as a browser would load it: minified, gzip, in bytes. */
export const bundleSize = async (entry: string, external: ReadonlyArray<string> = []): Promise<number> => {
  const bundle = await rolldown({
    input: entry,
    external: [...external],
    platform: "browser",
    treeshake: true,
    logLevel: "silent",
  });
  try {
    const { output } = await bundle.generate({ format: "esm", minify: true, codeSplitting: false });
    return gzipSync(output[0].code, { level: 9 }).length;
  } finally {
    await bundle.close();
  }
};

/** A size in kB of 1,000 bytes. */
export const kilobytes = (bytes: number): string => (bytes / 1_000).toFixed(1);

/** The sentence on sizes in the README of http-cache. */
const httpCacheSizes = async (): Promise<string> => {
  const source = "packages/http-cache/src";
  const size = await bundleSize(`${source}/HttpCache.ts`);
  const parser = size - (await bundleSize(`${source}/HttpCache.ts`, ["structured-headers"]));
  const [all, compat] = [await bundleSize(`${source}/index.ts`), await bundleSize(`${source}/compat/index.ts`)];
  return `\`httpCache\` is ${kilobytes(size)} kB (minified, gzip), \`CachePolicy\` ${kilobytes(compat)} kB, everything ${kilobytes(all)} kB; the parser of structured fields takes ${kilobytes(parser)} kB of each`;
};

/** Largest size of built files, in bytes after gzip. */
export const builtLimits = { "apps/worker/dist/worker.js": 70 * 1_024 } as const;

/** Fails when an entry point or a built file has outgrown its limit, or a README states another size. Wants a build. */
const checkBundleSizes = async (): Promise<void> => {
  const sizes: Array<readonly [name: string, size: number, limit: number]> = [];
  for (const [entry, limit] of Object.entries(bundleLimits)) sizes.push([entry, await bundleSize(entry), limit]);
  for (const [file, limit] of Object.entries(builtLimits)) {
    sizes.push([file, gzipSync(readFileSync(file), { level: 9 }).length, limit]);
  }
  const tooLarge = sizes.filter(([, size, limit]) => size > limit);
  if (tooLarge.length > 0) {
    throw new Error(tooLarge.map(([name, size, limit]) => `${name} has ${size} bytes, more than ${limit}`).join("\n"));
  }
  const sentence = await httpCacheSizes();
  const readme = readFileSync("packages/http-cache/README.md", "utf8").replaceAll(/\s+/g, " ");
  if (!readme.includes(sentence)) throw new Error(`packages/http-cache/README.md must say: ${sentence}`);
};

// `node BundleSize.ts`, in the root of the repository.
if (import.meta.main) await checkBundleSizes();
