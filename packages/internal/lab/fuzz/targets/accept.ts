// Fuzz target: Accept and Content-Type.
import { formatOf, mediaTypes, negotiate, offered } from "@bytenite-engines/core/wire";
import { headerOf, latin1Of, must, type Target } from "../Target.ts";

export const fuzz: Target = (data) => {
  const header = headerOf(latin1Of(data));
  if (header === undefined) return;
  const chosen = negotiate(header);
  must(chosen === undefined || offered.includes(chosen), "what is chosen is not offered");
  must(negotiate(header.replaceAll(/[a-z]/g, (char) => char.toUpperCase())) === chosen, "case matters");
  must(chosen !== undefined || header !== "", "no header is refused");
  // A wildcard that allows everything leaves nothing to refuse, unless the header names a form to forbid it.
  const forbids = /q\s*=\s*0/i.test(header) || header.includes('"') || header.includes("\\");
  must(forbids || negotiate(`*/*, ${header}`) !== undefined, "a wildcard allows nothing");
  const format = formatOf(header);
  must(format === undefined || Object.hasOwn(mediaTypes, format), "a Content-Type means an unknown form");
};
