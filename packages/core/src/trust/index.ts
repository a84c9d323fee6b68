// Trust in field numbers that were never published: what a client needs to believe protobuf, and what works out others.
export { makeTrust, defaultSampleEvery, type TrustOptions } from "./WireTrust.ts";
export { readTrusted, UntrustedAnswer, type Asking, type FormedAnswer, type TrustedAnswer } from "./TrustedAnswer.ts";
export type { Finding, ProtobufAnswer, Testimony, Trust, TrustNews, Verdict } from "./Verdict.ts";
export type { Evidence, FieldEvidence, MessageEvidence, Candidate } from "./Evidence.ts";
export type { Method } from "./AnswerReader.ts";
export { calibration } from "./Calibration.ts";
export { unknownNumberOffset } from "./Remap.ts";
