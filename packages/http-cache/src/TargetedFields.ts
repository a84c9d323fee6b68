// Targeted fields such as CDN-Cache-Control (RFC 9213).
import { parseDictionary, type InnerList, type Item } from "structured-headers";
import { maxDeltaSeconds, type Directives } from "./CacheControl.ts";

const durations = new Set(["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"]);
const flags = new Set(["no-store", "public", "must-revalidate", "proxy-revalidate", "must-understand", "immutable"]);

/**
 * The directives of a targeted field, a Dictionary of RFC 9651. Undefined, so that the field is ignored: it is empty, it
 * does not parse, or a known directive has a value of the wrong type (RFC 9213, 2.1). Parameters are ignored.
 */
export const targetedDirectives = (field: string): Directives | undefined => {
  let members: Map<string, Item | InnerList>;
  try {
    members = parseDictionary(field);
  } catch {
    return undefined;
  }
  if (members.size === 0) return undefined;
  const directives = new Map<string, string | true>();
  for (const [name, [value]] of members) {
    if (durations.has(name)) {
      if (typeof value !== "number" || !Number.isInteger(value) || value < 0) return undefined;
      directives.set(name, `${Math.min(value, maxDeltaSeconds)}`);
    } else if (flags.has(name)) {
      if (typeof value !== "boolean") return undefined;
      if (value) directives.set(name, true);
    } else if (value !== false) {
      directives.set(name, typeof value === "string" ? value : true);
    }
  }
  return directives;
};
