// Lists engines: a page, or all of them as they arrive.
import { create } from "@bufbuild/protobuf";
import { PaginatedResponseSchema, type Engine, type PaginatedResponse } from "@bytenite-engines/proto";
import { clientOf } from "../client/Client.ts";
import { exitCodes } from "../ExitCode.ts";
import { isOn, numberOf, textOf, type Invocation } from "../Invocation.ts";
import { openOutput } from "../output/Output.ts";
import { listedRecord, listShape } from "../output/EngineShape.ts";
import { matches, pagesOf, type Page } from "../client/Pages.ts";
import { inPieces, keepHeapSmall } from "../client/Pages.ts";

/** Pages to read, and engines to show of them. */
interface Plan {
  readonly everything: boolean;
  readonly filtered: boolean;
  readonly most: number;
  readonly wanted: (engine: Engine) => boolean;
  readonly pageSize: number | undefined;
}

const planOf = (invocation: Invocation): Plan => {
  const filter = {
    type: textOf(invocation, "type"),
    status: textOf(invocation, "status"),
    name: textOf(invocation, "name"),
  };
  const filtered = Object.values(filter).some((value) => value !== undefined);
  const all = isOn(invocation, "all");
  const limit = numberOf(invocation, "limit");
  return {
    everything: all || filtered,
    filtered,
    // Of filtered engines the limit counts those that are shown, which no page size can promise.
    most: all || !filtered ? Infinity : (limit ?? Infinity),
    wanted: matches(filter),
    pageSize: filtered && !all ? undefined : limit,
  };
};

export const run = async (invocation: Invocation): Promise<number> => {
  const plan = planOf(invocation);
  const { notes, signal } = invocation;
  const showSecrets = isOn(invocation, "show-secrets");
  const orderBy = textOf(invocation, "order-by");
  const offset = numberOf(invocation, "offset") ?? 0;
  let shown = 0;
  let last: Page | undefined;
  const writer = await openOutput(
    invocation,
    listShape(() => paginationOf(plan, last, shown, offset)),
  );
  if (plan.everything) keepHeapSmall();
  const client = await clientOf(invocation);
  const params = {
    offset,
    isPublic: isOn(invocation, "public"),
    ...(orderBy === undefined ? {} : { orderBy }),
    ...(plan.pageSize === undefined ? {} : { limit: plan.pageSize }),
  };
  notes.progress("asking for engines");
  for await (const page of pagesOf(client, params, signal)) {
    last = page;
    const engines = page.engines.filter((engine) => plan.wanted(engine)).slice(0, plan.most - shown);
    shown += engines.length;
    for (const piece of inPieces(engines)) await writer.write(piece.map((engine) => listedRecord(engine, showSecrets)));
    notes.progress(`page ${page.pages}, ${page.read} of ${page.pagination?.total ?? "?"} engines`);
    if (!plan.everything || shown >= plan.most) break;
  }
  notes.progress(undefined);
  await writer.end();
  if (invocation.terminal.isTTY) remark(invocation, plan, last, shown);
  return exitCodes.ok;
};

/** The server's pagination of one page; of several, that of the list as it was shown. */
const paginationOf = (plan: Plan, last: Page | undefined, shown: number, offset: number): PaginatedResponse => {
  const server = last?.pagination ?? create(PaginatedResponseSchema);
  if (!plan.everything) return server;
  return create(PaginatedResponseSchema, {
    total: plan.filtered ? shown : server.total,
    offset,
    hasPrevious: offset > 0,
    hasNext: shown >= plan.most && server.hasNext,
  });
};

const remark = ({ notes }: Invocation, plan: Plan, last: Page | undefined, shown: number): void => {
  if (shown === 0) notes.note(plan.filtered ? "No engine matches." : "No engines.");
  else if (!plan.everything && last?.pagination?.hasNext === true) {
    notes.note(`${shown} of ${last.pagination.total} engines; --all shows the rest.`);
  }
};
