// Decides: which characters of foreign text may reach a terminal, and how the others are shown.

/**
 * Control characters (C0, DEL, C1), line and paragraph separators, marks that change the direction of text, characters
 * without width that hide text (tags included), and halves of surrogate pairs.
 */
const dangerous =
  // oxlint-disable-next-line no-control-regex, no-misleading-character-class
  /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\udb40[\udc00-\udfff]/g;

const shortForms: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text on one line with nothing in it that a terminal would act upon: such characters become `\n` or `\u001b`. */
export const safeText = (text: string): string => text.replace(dangerous, escaped);

/** The same for text of several lines: line ends and tabs stay. */
export const safeLines = (text: string): string =>
  text.replace(dangerous, (char) => (char === "\n" || char === "\t" ? char : escaped(char)));

/** Escaped as JSON does, so that JSON stays JSON of the same meaning. */
const escaped = (chars: string): string =>
  shortForms[chars] ??
  Array.from(
    { length: chars.length },
    (_, index) => `\\u${chars.charCodeAt(index).toString(16).padStart(4, "0")}`,
  ).join("");
