// Messages between an import and its threads.
import { engineColumns } from "../api/EngineRow.ts";
import type { User } from "../api/EngineStore.ts";
import type { EngineDocument } from "./EngineText.ts";
import type { Prepared } from "./Preparing.ts";

/** Request to the thread. */
export interface ThreadRequest {
  readonly documents: ReadonlyArray<EngineDocument>;
  /** Owners that the thread does not know yet. */
  readonly owners: ReadonlyArray<readonly [name: string, owner: User | string]>;
}

/** Its response, in the order of the requests. */
export type ThreadAnswer = { readonly prepared: Prepared } | { readonly failure: unknown };

const protobuf = engineColumns.indexOf("protobuf");

/** Buffers of the rows. */
export const bytesIn = ({ ready }: Prepared): Array<ArrayBuffer> => [
  ...new Set(ready.map(({ prepared: { row } }) => (row[protobuf] as Uint8Array<ArrayBuffer>).buffer)),
];
