// Entry for other runtimes: the API without Node.
export { makeAccessTokens, type AccessTokens } from "./api/AccessTokens.ts";
export { makeLastUse, type LastUse } from "./api/LastUse.ts";
export { withKeyCheck } from "./api/KeyCheck.ts";
export { migrate, migrationFiles, schemaProblem } from "./api/Migrations.ts";
export type { ArchiveOptions } from "./archive/Lifecycle.ts";
export { makeLinks, type Links } from "./archive/Link.ts";
export { uploadLengthHeader, uploadsPath, type Staging } from "./archive/Staging.ts";
export { sweep } from "./archive/Sweep.ts";
export { defaultUploadLimits, publicUrlProblem, type UploadLimits } from "./archive/Upload.ts";
export { StorageUnavailable, type ObjectStore, type ObjectWriter, type Sha256 } from "./archive/ArchiveStore.ts";
export { attemptLimit } from "./api/Authentication.ts";
export {
  countedAddress,
  makeLimit,
  makeLimiterCheck,
  type RateLimit,
  type RateLimiter,
  type RateLimitOptions,
} from "./api/RateLimit.ts";
export type { RequestHead } from "./api/Answer.ts";
export { databaseRetrySeconds } from "./api/ApiError.ts";
export type { ReadSession } from "./api/Routes.ts";
export { makeSecretBox, type SecretBox } from "./api/SecretBox.ts";
export { fetchHandler, loggedPath, makeApp, webDigest, withWeb, type App } from "./api/App.ts";
export { DatabaseUnavailable, type Row, type SqlDriver, type SqlValue, type Statement } from "./api/SqlDriver.ts";
export { makeWeb, type Web, type WebOptions } from "./api/Web.ts";
export { makeSerializer, type SerializerOptions } from "./api/Serializer.ts";
