// Decides: what a thread that prepares texts is asked and answers: all bytes of an answer in one piece, which changes hands.
import { engineColumns, type EngineRow } from "../api/EngineRow.ts";
import type { User } from "../api/EngineStore.ts";
import type { EngineDocument } from "./EngineText.ts";
import type { Prepared } from "./Preparing.ts";

/** What the thread is asked. */
export interface ThreadRequest {
  readonly documents: ReadonlyArray<EngineDocument>;
  /** Owners that it has not been told of yet. */
  readonly owners: ReadonlyArray<readonly [name: string, owner: User | string]>;
}

/** What came of the texts. In the rows, the place of the protobuf says how long it is. */
export interface Packed {
  readonly prepared: Prepared;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What it answers, in the order of the requests. */
export type ThreadAnswer = Packed | { readonly failure: unknown };

const protobuf = engineColumns.indexOf("protobuf");

/** For the way: an array buffer for each row would cost more than the rest of it. */
export const packed = (prepared: Prepared): Packed => {
  const forms = prepared.ready.map(({ prepared: { row } }) => row[protobuf] as Uint8Array);
  const bytes = new Uint8Array(forms.reduce((length, form) => length + form.length, 0));
  let at = 0;
  for (const form of forms) {
    bytes.set(form, at);
    at += form.length;
  }
  return { prepared: withForms(prepared, (_, index) => forms[index]?.length ?? 0), bytes };
};

/** As it was before it was packed. */
export const unpacked = ({ prepared, bytes }: Packed): Prepared => {
  let at = 0;
  return withForms(prepared, (row) => bytes.subarray(at, (at += Number(row[protobuf]))));
};

const withForms = (prepared: Prepared, formOf: (row: EngineRow, index: number) => EngineRow[number]): Prepared => ({
  ...prepared,
  ready: prepared.ready.map(({ prepared: engine, source }, index) => ({
    prepared: { ...engine, row: engine.row.with(protobuf, formOf(engine.row, index)) },
    source,
  })),
});
