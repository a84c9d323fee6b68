// Preparation of texts: database rows or problems.
import { UnacceptableEngineError } from "../api/EngineRow.ts";
import type { User } from "../api/EngineStore.ts";
import { prepareEngines, wholeEngine, type PreparedEngine, type WholeEngine } from "./Engines.ts";
import { engineIn, type EngineChanges, type EngineDocument } from "./EngineText.ts";
import { ManifestError } from "./Manifest.ts";

/** Options of the preparation. Plain data, since another thread may do it. */
export interface PreparingOptions extends EngineChanges {
  /** Owner of the engines. Default: the user that an exported engine names. */
  readonly user?: string | undefined;
}

/** The named owner of a key in `Owners`: the name of a user, and the id in the engine, "" if none. */
export const namedOwner = (key: string): readonly [name: string, id: string] => JSON.parse(key) as [string, string];

/** Users by key; a text says why the user cannot be the owner. */
export type Owners = ReadonlyMap<string, User | string>;

/** Result of some texts. */
export interface Prepared {
  readonly ready: ReadonlyArray<{ readonly prepared: PreparedEngine; readonly source: string }>;
  readonly problems: ReadonlyArray<string>;
  /** Keys of unknown owners. If there are any, the texts must be prepared again. */
  readonly unknown: ReadonlyArray<string>;
}

/** Prepares texts. Throws errors that are not problems of a text. */
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
      const key = JSON.stringify([name, engine.owner]);
      const owner = owners.get(key);
      const namesId = engine.id !== "";
      if (owner === undefined) unknown.add(key);
      else if (typeof owner === "string") problems.push(`${source}: ${owner}`);
      else {
        whole.push({ ...wholeEngine(owner, engine, now), namesId });
        sources.push(source);
      }
    } catch (error) {
      problems.push(...problemsOf(error, source));
    }
  }
  const ready = prepareEngines(whole).map((prepared, index) => ({ prepared, source: sources[index] ?? "" }));
  return { ready, problems, unknown: [...unknown] };
};

/** Problem of a document. Throws other errors. */
export const problemsOf = (error: unknown, source: string): ReadonlyArray<string> => {
  if (error instanceof ManifestError) return error.problems;
  if (error instanceof UnacceptableEngineError) return [`${source}: ${error.message}`];
  throw error;
};
