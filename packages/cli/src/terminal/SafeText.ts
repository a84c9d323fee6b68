// Escapes for untrusted text on a terminal.

/**
 * Control characters, formats (marks that change the direction of text or hide it, tags), separators of lines and paragraphs,
 * halves of surrogate pairs; and characters of other kinds that have no width. Variation selectors of emoji stay.
 */
const dangerous =
  // oxlint-disable-next-line no-misleading-character-class
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\u{e0100}-\u{e01ef}]/gu;

const shortForms: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text on one line, with control characters escaped, such as `\n` or `\u001b`. */
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

/** ASCII replacements of the symbols of `bne`. */
const asciiSigns: Readonly<Record<string, string>> = {
  "●": "*",
  "○": "o",
  "◆": "#",
  "✓": "+",
  "✗": "x",
  "≠": "!",
  "…": "~",
  "·": "|",
  "█": "#",
  "░": "-",
};

/** Text for a terminal without UTF-8: ASCII replacements, and escapes for other characters. */
export const asciiText = (text: string): string =>
  text.replaceAll(
    /[\u0080-\u{10ffff}]/gu,
    (char) => asciiSigns[char] ?? (/[\u2800-\u28ff]/u.test(char) ? "-" : escaped(char)),
  );
