// Entry for servers with other field numbers: inference and profiles.
export { FieldNumberInference } from "./FieldNumberInference.ts";
export { fieldNumbers, unknownNumberOffset } from "./ProfileReader.ts";
export {
  parseProfile,
  ProfileError,
  profileKind,
  profileVersion,
  writeProfile,
  type Profile,
  type ProfileField,
  type ProfileMessage,
  type ProfileNumber,
} from "./Profile.ts";
export { emitProto, emittedLintConfig, emittedPackage } from "./ProtoText.ts";
export type { FieldNumbers } from "../verify/SchemaVerifier.ts";
