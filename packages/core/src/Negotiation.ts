// Content negotiation for servers (RFC 9110, 12.5.1).
import { mediaTypes, type Format } from "./MediaType.ts";

/** A response format and its media type. */
export interface Representation {
  readonly format: Format;
  readonly mediaType: string;
}

/** Offered media types, preferred first. JSON is grpc-gateway's default. */
export const offered: ReadonlyArray<Representation> = (["json", "protobuf"] as const).flatMap((format) =>
  mediaTypes[format].map((mediaType) => ({ format, mediaType })),
);

interface MediaRange {
  /** Type and subtype, or `*` for any. */
  readonly range: string;
  /** Whether it has a parameter other than its weight and a charset. None of what we offer has one. */
  readonly isNarrower: boolean;
  readonly quality: number;
}

const token = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const qvalue = /^(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)$/;

/**
 * The best representation that an Accept header allows: highest q first, then our own order. Undefined means 406.
 * The most specific range that matches decides on each (RFC 9110, 12.5.1), of two equal ones the first; q=0 forbids.
 * Elements that cannot be parsed are passed over; an absent header, and one without any element that can be parsed, allow everything.
 */
export const negotiate = (accept: string | null | undefined): Representation | undefined => {
  const ranges = parseAccept(accept ?? "");
  if (ranges.length === 0) return offered[0];
  let best: Representation | undefined;
  let bestQuality = 0;
  for (const candidate of offered) {
    const quality = qualityOf(candidate.mediaType, ranges);
    if (quality > bestQuality) {
      best = candidate;
      bestQuality = quality;
    }
  }
  return best;
};

const qualityOf = (mediaType: string, ranges: ReadonlyArray<MediaRange>): number => {
  const [type] = mediaType.split("/");
  for (const name of [mediaType, `${type}/*`, "*/*"]) {
    const found = ranges.find(({ range, isNarrower }) => range === name && !isNarrower);
    if (found !== undefined) return found.quality;
  }
  return 0;
};

/** A quoted string (RFC 9110, 5.6.4): nothing that is offered has one, so that its text does not matter. */
const quotedString = /"(?:\\.|[^"\\])*"?/gs;

const parseAccept = (accept: string): ReadonlyArray<MediaRange> =>
  accept
    .replaceAll(quotedString, '""')
    .split(",")
    .flatMap((element) => parseRange(element) ?? []);

const parseRange = (element: string): MediaRange | undefined => {
  const [range = "", ...parameters] = element.split(";").map((part) => part.trim().toLowerCase());
  const [type = "", subtype = "", ...rest] = range.split("/");
  if (rest.length > 0 || !token.test(type) || !token.test(subtype) || (type === "*" && subtype !== "*"))
    return undefined;
  let quality = 1;
  let isNarrower = false;
  for (const parameter of parameters) {
    const [name = "", value = ""] = parameter.split("=").map((part) => part.trim());
    if (name === "q") {
      if (!qvalue.test(value)) return undefined;
      quality = Number(value);
      break;
    }
    // A charset says nothing about JSON, which is always UTF-8 (RFC 8259, 8.1).
    if (name !== "" && name !== "charset") isNarrower = true;
  }
  return { range, isNarrower, quality };
};
