// Decides: what is known of an origin from earlier, beside the numbers: when they were last compared, and whether its header lies.
import { noEvidence, type Known } from "./Evidence.ts";
import { evidenceFrom, type Profile } from "./Profile.ts";

export const nothingKnown: Known = { evidence: noEvidence, comparedMs: new Map(), digestLies: false };

/** What a profile stands for. Throws ProfileError. Of what has no date of its own, that of the profile counts. */
export const knownFrom = (profile: Profile): Known => {
  const evidence = evidenceFrom(profile);
  const dates = Object.entries(profile.messages).map(([typeName, { date = profile.date }]): [string, number] => [
    typeName,
    Date.parse(date),
  ]);
  return { evidence, comparedMs: new Map(dates), digestLies: profile.digestLies ?? false };
};
