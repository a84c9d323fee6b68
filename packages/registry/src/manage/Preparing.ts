// Decides: what becomes of texts before anything is written: rows that are ready, or what is wrong with them.
import { UnacceptableEngineError } from "../api/EngineRow.ts";
import type { User } from "../api/EngineStore.ts";
import { prepareEngines, wholeEngine, type PreparedEngine, type WholeEngine } from "./Engines.ts";
import { engineIn, type EngineChanges, type EngineDocument } from "./EngineText.ts";
import { ManifestError } from "./Manifest.ts";

/** How texts are prepared. Plain data: another thread may do it. */
export interface PreparingOptions extends EngineChanges {
  /** Who owns what is imported. Default: whom an exported engine names. */
  readonly user?: string | undefined;
}

/** Users by name; a text says why there can be none of that name. */
export type Owners = ReadonlyMap<string, User | string>;

/** What came of some texts. */
export interface Prepared {
  readonly ready: ReadonlyArray<{ readonly prepared: PreparedEngine; readonly source: string }>;
  readonly problems: ReadonlyArray<string>;
  /** Names of owners who are not known yet. If there are any, the texts are to be prepared again. */
  readonly unknown: ReadonlyArray<string>;
}

/** Prepares texts. Throws what is no problem of theirs. */
export const prepareDocuments = (
  documents: ReadonlyArray<EngineDocument>,
  options: PreparingOptions,
  owners: Owners,
  now: number,
): Prepared => {
  const whole: Array<WholeEngine> = [];
  const sources: Array<string> = [];
  const problems: Array<string> = [];
  const unknown = new Set<string>();
  for (const document of documents) {
    const { source } = document;
    try {
      const engine = engineIn(document, options);
      const name = options.user ?? engine.userName;
      if (name === "") throw new UnacceptableEngineError("whose is it? name the user with --user");
      const owner = owners.get(name);
      if (owner === undefined) unknown.add(name);
      else if (typeof owner === "string") problems.push(`${source}: ${owner}`);
      else {
        whole.push(wholeEngine(owner, engine, now));
        sources.push(source);
      }
    } catch (error) {
      problems.push(...problemsOf(error, source));
    }
  }
  const ready = prepareEngines(whole).map((prepared, index) => ({ prepared, source: sources[index] ?? "" }));
  return { ready, problems, unknown: [...unknown] };
};

/** What is wrong with a document; a fault of ours is no problem of its. */
export const problemsOf = (error: unknown, source: string): ReadonlyArray<string> => {
  if (error instanceof ManifestError) return error.problems;
  if (error instanceof UnacceptableEngineError) return [`${source}: ${error.message}`];
  throw error;
};
