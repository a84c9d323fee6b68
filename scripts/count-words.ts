// `pnpm words`: words of the documents, and odd words everywhere.
import { documents, headerOf, oddWords, sources, textOf } from "./Prose.ts";

const code = sources().map(textOf);
const prose = documents().map(textOf);
const count = (texts: ReadonlyArray<string>, word: RegExp): number =>
  texts.reduce((sum, text) => sum + (text.match(word)?.length ?? 0), 0);

process.stdout.write(
  `documents\t${count(prose, /\S+/g)} words in ${prose.length} files, ${count(prose, /\S*[\p{L}\p{N}]\S*/gu)} without markup of tables\n`,
);
const headers = code.map(headerOf).filter((header) => header !== "");
process.stdout.write(`headers\t${count(headers, /\S+/g)} words in ${headers.length} files\n`);
process.stdout.write("word\tsources\tdocuments\n");
for (const [name, word] of Object.entries(oddWords)) {
  process.stdout.write(`${name}\t${count(code, word)}\t${count(prose, word)}\n`);
}
