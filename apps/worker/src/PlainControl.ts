// Decides: whether a request asks nothing of caches, so that any fresh answer will do.
import { requestDirectives, type RequestDirectives } from "@bytenite-engines/http-cache";

/** What a request without Cache-Control asks. */
export const plainControl: RequestDirectives = requestDirectives(null, null);

/** `no-transform` is about forms, not about age: it may stand beside. */
export const isPlain = (control: RequestDirectives): boolean =>
  control === plainControl ||
  Object.entries(control).every(([name, value]) => name === "noTransform" || value === undefined || value === false);
