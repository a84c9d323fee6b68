// Trust in field numbers that were never published: what a client needs to believe protobuf, and what works out others.

// For users: `createEngineClient({ trust: { calibration: calibration() } })`.
export { calibration, type Calibration, type CalibrationOptions } from "./Calibration.ts";
export {
  parseProfile,
  profileKind,
  profileVersion,
  writeProfile,
  type Profile,
  type ProfileField,
  type ProfileMessage,
  type ProfileNumber,
} from "./Profile.ts";
export { ProfileError } from "./ProfileError.ts";
export { memoryProfileStore, type ProfileStore } from "./ProfileStore.ts";
export { emitProto, emittedLintConfig, emittedPackage } from "./ProtoText.ts";
export { unknownNumberOffset } from "./AnswerReader.ts";
export { defaultSampleEvery, type TrustOptions } from "./WireTrust.ts";

// For those who build clients on it.
export { makeTrust } from "./WireTrust.ts";
export { readTrusted, UntrustedAnswer, type Asking, type FormedAnswer, type TrustedAnswer } from "./TrustedAnswer.ts";
export type { Finding, ProtobufAnswer, Testimony, Trust, TrustNews, Verdict } from "./Verdict.ts";
export type { Numbers, Prospect } from "./Numbers.ts";
