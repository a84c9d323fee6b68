// For users: the rules of an HTTP cache, one file each.
export { cacheStatus, type CacheOutcome, type ForwardReason } from "./CacheStatus.ts";
export { endToEnd, hopByHopNames } from "./HopByHop.ts";
export {
  currentAgeMs,
  freshnessOf,
  remainingMs,
  uselessAfterMs,
  type ExchangeTimes,
  type Freshness,
} from "./Freshness.ts";
export type { CachePolicy, Lifetimes } from "./Policy.ts";
export { requestControl, type RequestControl } from "./RequestControl.ts";
export { responseControl, type ResponseControl } from "./ResponseControl.ts";
export { decide, errorStatuses, mayServeDisconnected, mayServeOnError, type Decision } from "./Reuse.ts";
export { storingRefusal, type StorableRequest } from "./Storing.ts";
export { confirms, freshened, isNotModified, validatingFields, type Condition } from "./Validation.ts";
export { cacheGroups, invalidatedGroups, invalidatedUrls, isUnsafe } from "./Invalidation.ts";
export { parseContentRange, parseRange, sliceOf, type ByteRange, type Slice, type StoredPart } from "./Range.ts";
export { isSelectedBy, selectingFields, varyNames, withVary, type Selected } from "./Vary.ts";

// For those who build on it: the parts.
export {
  deltaSeconds,
  fieldNames,
  maxDeltaSeconds,
  parseDirectives,
  splitList,
  type Directives,
} from "./Directives.ts";
export { formatHttpDate, parseHttpDate } from "./HttpDate.ts";
export { matchesEntityTag } from "./Validation.ts";
