// Fuzz target: tags, versions and paths.
import {
  compareVersions,
  matchPath,
  parseTag,
  parseTimestamp,
  parseVersion,
  pathOf,
} from "@bytenite-engines/core/wire";
import { must, mustEqual, textOf, type Target } from "../Target.ts";

export const fuzz: Target = (data) => {
  const text = textOf(data);
  const tag = parseTag(text);
  if (tag !== undefined) {
    const { name, major, minor } = tag;
    const version = [major, minor].filter((part) => part !== undefined).join(".");
    must((version === "" ? name : `${name}@${version}`) === text, "a tag is not what it was read from");
    const match = matchPath(pathOf("get", text) ?? "");
    mustEqual([match?.name, match?.tag], ["get", text], "the path of a tag leads elsewhere");
  }
  const [left = "", right = ""] = text.split("\n");
  const [a, b] = [parseVersion(left), parseVersion(right)];
  if (a !== undefined && b !== undefined) {
    must(Math.sign(compareVersions(a, b)) === -Math.sign(compareVersions(b, a)), "versions have two orders");
  }
  matchPath(`/engines/${text}`);
  const moment = parseTimestamp(text);
  must(moment === undefined || (moment.nanos >= 0 && moment.nanos < 1e9), "a moment has too many nanoseconds");
};
