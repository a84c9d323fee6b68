// For users: a registry in this process.
export { startRegistryServer, type RegistryOptions, type RunningRegistry } from "./node/Registry.ts";
export { defaultLimits, type ServerLimits } from "./node/ServerLimits.ts";
export type { RateLimitOptions } from "./api/RateLimit.ts";
export type { FieldNumbers } from "./api/FieldNumbers.ts";
export type { SerializerOptions } from "./api/Serializer.ts";

// For those who fill and keep a database themselves.
export { openSqlite, type SqliteFile } from "./node/SqliteFile.ts";
export { migrate } from "./api/Migrations.ts";
export { makeSecretBox, type SecretBox } from "./api/SecretBox.ts";
export type { User } from "./api/EngineStore.ts";
export {
  addCredential,
  createCredential,
  ensureUser,
  listCredentials,
  listUsers,
  revokeCredential,
  userOf,
  type ListedCredential,
} from "./manage/Accounts.ts";
export {
  backUp,
  restore,
  type BackupSummary,
  type RestoreOptions,
  type Restored,
  type Revival,
} from "./manage/Backup.ts";
export { change, publishAll, type Change, type EngineInit, type Published } from "./manage/Engines.ts";
export { exportLines, exportRows, exportSql, schemaSql } from "./manage/Export.ts";
export type { TransferFolders } from "./manage/ArchiveTransfer.ts";
export { importFiles, importStream, type Imported, type ImportOptions } from "./manage/Import.ts";
export { parseManifest } from "./manage/Manifest.ts";
