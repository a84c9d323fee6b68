// The version of bne.
import manifest from "../package.json" with { type: "json" };

// Not by destructuring: then the whole manifest would be in the bundle.
// oxlint-disable-next-line prefer-destructuring
export const version = manifest.version;
