// Fuzz target: field number profiles.
import { emitProto, fieldNumbers, parseProfile, ProfileError, writeProfile } from "@bytenite-engines/core/infer";
import { must, mustEqual, textOf, unlessRefused, type Target } from "../Target.ts";

export const fuzz: Target = (data) => {
  const profile = unlessRefused(() => parseProfile(textOf(data)), ProfileError);
  if (profile === undefined) return;
  mustEqual(parseProfile(writeProfile(profile)), profile, "a profile changes when it is written");
  mustEqual(fieldNumbers(profile).origin, profile.origin, "a profile is for another origin");
  const [head = ""] = emitProto(profile).split('syntax = "proto3";');
  must(
    head.split("\n").every((line) => line === "" || line.startsWith("//")),
    "a profile writes into the .proto",
  );
};
