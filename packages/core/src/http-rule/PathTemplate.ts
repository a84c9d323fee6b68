// Path templates of google.api.http: parsing and expansion.
import { attempted } from "../ReadLimits.ts";

/** A template that cannot be used, or values that do not fit into it. */
export class PathTemplateError extends Error {
  readonly _tag = "PathTemplateError";
  constructor(message: string) {
    super(message);
    this.name = "PathTemplateError";
  }
}

/** One segment: literal text, `*` (one segment) or `**` (any number of segments). */
export type PathSegment =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "*" }
  | { readonly kind: "**" };

/** A path field and its segments. */
export interface PathVariable {
  /** Names of the fields by their proto names, from the outermost message: `book.name` is `["book", "name"]`. */
  readonly field: ReadonlyArray<string>;
  /** Index of its first segment. */
  readonly start: number;
  /** Index after its last segment. */
  readonly end: number;
  /** Whether it is more than one `*`: then its slashes are kept. */
  readonly isMultiple: boolean;
}

/** A parsed template. */
export interface PathTemplate {
  readonly source: string;
  readonly segments: ReadonlyArray<PathSegment>;
  readonly variables: ReadonlyArray<PathVariable>;
  /** Text after the last `:`, e.g. `cancel`. */
  readonly verb?: string | undefined;
}

/** Longest template, in characters. */
export const maxTemplateLength = 2_000;

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;
const literalText = /^[A-Za-z0-9\-._~!$&'()+,;=@%]+$/;

/** Parses a template, e.g. `/v1/{name=shelves/*}/books/{book.id}:move`. Throws PathTemplateError with what is wrong. */
export const parseTemplate = (source: string): PathTemplate => {
  const fail = (problem: string): never => {
    throw new PathTemplateError(`path template ${JSON.stringify(source.slice(0, 200))}: ${problem}`);
  };
  if (source.length > maxTemplateLength) fail(`is longer than ${maxTemplateLength} characters`);
  if (!source.startsWith("/")) fail("must begin with a slash");
  // A colon before a slash or inside braces belongs to no verb.
  const [, path = "", verb] = /^\/(.*?)(?::([^:/}]*))?$/s.exec(source) ?? [];
  if (verb !== undefined && !literalText.test(verb)) fail(`the verb ${JSON.stringify(verb)} is not literal text`);
  const segments: Array<PathSegment> = [];
  const variables: Array<PathVariable> = [];
  const addSegment = (text: string): void => {
    if (text === "*" || text === "**") segments.push({ kind: text });
    else if (literalText.test(text)) segments.push({ kind: "literal", text });
    else fail(text === "" ? "has an empty segment" : `the segment ${JSON.stringify(text)} is not literal text`);
  };
  // At slashes outside of braces.
  for (const part of path.split(/\/(?![^{]*\})/)) {
    if (!part.startsWith("{")) {
      addSegment(part);
      continue;
    }
    if (!part.endsWith("}")) fail(`${JSON.stringify(part)} does not end with "}"`);
    const [name = "", ...rest] = part.slice(1, -1).split("=");
    const inner = rest.length === 0 ? "*" : rest.join("=");
    const field = name.split(".");
    if (!field.every((item) => identifier.test(item))) fail(`${JSON.stringify(name)} is not a field path`);
    if (variables.some((other) => other.field.join(".") === name)) fail(`the field ${name} occurs twice`);
    const start = segments.length;
    for (const text of inner.split("/")) addSegment(text);
    variables.push({ field, start, end: segments.length, isMultiple: inner !== "*" });
  }
  if (segments.filter(({ kind }) => kind === "**").length > 1) fail("has more than one **");
  return { source, segments, variables, verb };
};

/**
 * The path with every variable filled in, percent-encoded as google.api.http has it: a variable of one segment keeps
 * `[-_.~0-9a-zA-Z]`, one of several segments keeps `/` too. `@` is kept as well: RFC 3986, 3.3 allows it in a segment, and
 * every server decodes it the same. Throws PathTemplateError for a missing value, for one that does
 * not fit its sub-template, and for one that a URL would normalise away (`.` and `..` as segments).
 */
export const expandTemplate = (
  template: PathTemplate,
  valueOf: (field: ReadonlyArray<string>, index: number) => string | undefined,
): string => {
  const { source, segments, verb } = template;
  let path = "";
  let variables = 0;
  for (let at = 0; at < segments.length; at++) {
    const segment = segments[at];
    const variable = template.variables[variables];
    if (variable?.start === at) {
      path += `/${encodedValue(segments, variable, valueOf(variable.field, variables))}`;
      variables += 1;
      at = variable.end - 1;
    } else if (segment?.kind === "literal") path += `/${segment.text}`;
    else
      throw new PathTemplateError(
        `path template ${JSON.stringify(source)}: a wildcard outside of a field has no value`,
      );
  }
  return verb === undefined ? path : `${path}:${verb}`;
};

const encodedValue = (all: ReadonlyArray<PathSegment>, variable: PathVariable, value: string | undefined): string => {
  if (value === undefined || value === "") throw misfit(variable, "is not set");
  if (!value.isWellFormed()) throw misfit(variable, "is not well-formed Unicode");
  if (!variable.isMultiple) return encodedPart(variable, value);
  const parts = value.split("/");
  const path = parts.map((part) => encodedPart(variable, part)).join("/");
  const segments = all.slice(variable.start, variable.end);
  if (spans(segments, parts) !== undefined) return path;
  const [like, shown] = [subTemplate(segments), value.slice(0, 100)].map((text) => JSON.stringify(text));
  throw misfit(variable, `must look like ${like}, not ${shown}`);
};

const encodedPart = (variable: PathVariable, part: string): string => {
  if (part === "." || part === "..") throw misfit(variable, `must not have ${JSON.stringify(part)} as a segment`);
  return encodedSegment(part);
};

const misfit = ({ field }: PathVariable, problem: string): PathTemplateError =>
  new PathTemplateError(`the path field ${field.join(".")} ${problem}`);

const subTemplate = (segments: ReadonlyArray<PathSegment>): string =>
  segments.map((segment) => (segment.kind === "literal" ? segment.text : segment.kind)).join("/");

/**
 * A segment of a path, percent-encoded: encodeURIComponent keeps five characters more than google.api.http does, and not `@`.
 */
export const encodedSegment = (text: string): string =>
  plainText.test(text)
    ? text
    : encodeURIComponent(text).replaceAll(/%40|[!'()*]/g, (char) =>
        char === "%40" ? "@" : `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
      );

/** What needs no escape. */
const plainText = /^[A-Za-z0-9._~@-]*$/;

/**
 * Where each segment begins among the parts, and at the end where the last one ends; undefined where they do not match.
 * `*` takes one part that is not empty, `**` whatever the fixed segments around it leave.
 */
export const spans = (
  segments: ReadonlyArray<PathSegment>,
  parts: ReadonlyArray<string>,
): ReadonlyArray<number> | undefined => {
  const spare = parts.length - segments.length + 1;
  if (spare < 0) return undefined;
  const starts: Array<number> = [];
  let at = 0;
  for (const segment of segments) {
    starts.push(at);
    if (segment.kind === "**") {
      at += spare;
      continue;
    }
    const part = parts[at] ?? "";
    if (segment.kind === "literal" ? !isLiteral(segment.text, part) : part === "") return undefined;
    at += 1;
  }
  return at === parts.length ? [...starts, at] : undefined;
};

/** The text of a template may have escapes. */
const isLiteral = (text: string, part: string): boolean =>
  text === part || attempted(() => decodeURIComponent(text)) === part;
