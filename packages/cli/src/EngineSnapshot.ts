// Decides: what happened to engines between two looks at them.
import type { JsonObject } from "@bufbuild/protobuf";

/** Engines by their tags, as they were at one look. */
export type Snapshot = ReadonlyMap<string, JsonObject>;

/** Something that happened to an engine. */
export interface EngineChange {
  readonly event: "added" | "changed" | "removed";
  readonly tag: string;
  /** Names of the fields that changed. */
  readonly fields: ReadonlyArray<string>;
  /** As it is now; as it was, when it was removed. */
  readonly engine: JsonObject;
}

/** What happened from one look to the next, in the order of the newer one, removals last. */
export const changesBetween = (before: Snapshot, after: Snapshot): ReadonlyArray<EngineChange> => {
  const changes: Array<EngineChange> = [];
  for (const [tag, engine] of after) {
    const old = before.get(tag);
    if (old === undefined) changes.push({ event: "added", tag, fields: [], engine });
    else {
      const fields = Object.keys(engine).filter((name) => JSON.stringify(engine[name]) !== JSON.stringify(old[name]));
      if (fields.length > 0) changes.push({ event: "changed", tag, fields, engine });
    }
  }
  for (const [tag, engine] of before) {
    if (!after.has(tag)) changes.push({ event: "removed", tag, fields: [], engine });
  }
  return changes;
};
