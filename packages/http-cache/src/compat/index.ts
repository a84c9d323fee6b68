// Public API of the compatible class.
export {
  CachePolicy,
  CachePolicy as default,
  type PolicyHeaders,
  type PolicyObject,
  type PolicyOptions,
  type PolicyRequest,
  type PolicyResponse,
  type RequestEvaluation,
  type Revalidation,
} from "./CachePolicy.ts";
