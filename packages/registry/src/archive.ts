// Archives and manifests without a database, for those who make, check and unpack them.
export { archiveLimits, makePathCheck, pathProblem, type ArchiveLimits } from "./archive/ArchivePath.ts";
export { ArchiveError, readArchive, type ArchiveEntry } from "./archive/ArchiveReader.ts";
export { maxManifestBytes, ManifestError, parseManifest } from "./manage/Manifest.ts";
