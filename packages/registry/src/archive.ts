// Entry for archives and manifests without a database.
export { archiveLimits, makePathCheck, pathProblem, type ArchiveLimits } from "./archive/ArchivePath.ts";
export { ArchiveError, readArchive, type ArchiveEntry } from "./archive/ArchiveReader.ts";
export { maxManifestBytes, ManifestError, parseManifest } from "./manage/Manifest.ts";
