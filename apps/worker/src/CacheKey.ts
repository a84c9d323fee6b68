// Decides: under which key an answer is kept.
import type { Format } from "@bytenite-engines/core/wire";
import type { Identity } from "./Identity.ts";
import type { Route } from "./Route.ts";

/** Digest of the token + endpoint with its normalised parameters + the form that was asked for. */
export const cacheKey = (identity: Identity, route: Route, format: Format): string =>
  `${identity.digest}/${format}${route.target}`;
