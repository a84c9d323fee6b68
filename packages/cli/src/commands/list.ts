// `bne list`: one page of engines, or all.
import type { ListParams } from "@bytenite-engines/core/promise";
import { didYouMean } from "@bytenite-engines/core/wire";
import type { Engine, PaginatedResponse } from "@bytenite-engines/proto";
import { clientOf } from "../client/Client.ts";
import { inPieces, keepHeapSmall, largePage, matches, pagesOf, type Page, type PageOptions } from "../client/Pages.ts";
import { exitCodes } from "../Errors.ts";
import { isOn, numberOf, textOf, type Invocation } from "../Invocation.ts";
import { listedRecord, listShape, type ListEnd } from "../output/EngineShape.ts";
import { openOutput } from "../output/Output.ts";
import { filters } from "../parse/EngineCommands.ts";
import { safeText } from "../terminal/SafeText.ts";

/** Most types and statuses kept for a hint; longest quoted word, in characters. */
const maxSeen = 100;
const maxQuoted = 100;
/** Largest requested page, in engines. */
const maxPage = 1_000;

/** Pages to read, and engines to show of them. */
interface Plan {
  /** Whether more than one page may be read. */
  readonly several: boolean;
  readonly filtered: boolean;
  readonly wanted: (engine: Engine) => boolean;
  readonly offset: number;
  /** The part of the offset that the server skips: filters come before it. */
  readonly serverOffset: number;
  /** Engines to show, at most. */
  readonly most: number;
  readonly pages: PageOptions;
}

const planOf = (invocation: Invocation): Plan => {
  const filter = {
    type: textOf(invocation, "type"),
    status: textOf(invocation, "status"),
    name: textOf(invocation, "name"),
  };
  const filtered = Object.values(filter).some((value) => value !== undefined);
  const everything = isOn(invocation, "all") || filtered;
  const limit = numberOf(invocation, "limit");
  const size = numberOf(invocation, "page-size");
  const several = everything || limit !== undefined;
  const offset = numberOf(invocation, "offset") ?? 0;
  const most = limit ?? Infinity;
  const own = everything ? largePage : limit === undefined ? undefined : Math.min(limit, maxPage);
  return {
    several,
    filtered,
    wanted: matches(filter),
    offset,
    serverOffset: filtered ? 0 : offset,
    most,
    pages: {
      size: size ?? own,
      // Engines that a limit asks for are asked for by the page; of any other number the server has its say.
      isSizeOurs: size === undefined && everything,
      ahead: filtered ? Infinity : several ? most : 0,
    },
  };
};

/** Progress of a list. */
interface Progress {
  last: Page | undefined;
  /** Engines that passed the filters, those before the offset included. */
  matched: number;
  shown: number;
  /** Whether more engines are known to be there. */
  more: boolean;
  /** Values seen by the filters. */
  readonly seen: Readonly<Record<"type" | "status", Set<string>>>;
}

export const run = async (invocation: Invocation): Promise<number> => {
  const plan = planOf(invocation);
  const { notes, signal } = invocation;
  const showSecrets = isOn(invocation, "show-secrets");
  const so: Progress = {
    last: undefined,
    matched: 0,
    shown: 0,
    more: false,
    seen: { type: new Set(), status: new Set() },
  };
  const writer = await openOutput(
    invocation,
    listShape(() => endOf(plan, so)),
  );
  if (plan.several) keepHeapSmall();
  const client = await clientOf(invocation);
  const params: Required<Omit<ListParams, "limit" | "pagination">> = {
    offset: plan.serverOffset,
    isPublic: isOn(invocation, "public"),
    orderBy: textOf(invocation, "order-by"),
  };
  notes.progress("asking for engines");
  for await (const page of pagesOf(client, params, signal, plan.pages)) {
    so.last = page;
    const engines = chosen(plan, so, page.engines);
    for (const piece of inPieces(engines)) await writer.write(piece.map((engine) => listedRecord(engine, showSecrets)));
    notes.progress(`page ${page.pages}, ${page.read} of ${page.pagination?.total ?? "?"} engines`);
    if (plan.several && so.shown < plan.most) continue;
    so.more ||= page.pagination?.hasNext === true;
    break;
  }
  notes.progress(undefined);
  await writer.end();
  remark(invocation, plan, so);
  return exitCodes.ok;
};

/** The engines of a page that are shown. */
const chosen = (plan: Plan, so: Progress, engines: ReadonlyArray<Engine>): ReadonlyArray<Engine> => {
  const wanted = engines.filter(plan.wanted);
  for (const { type, status } of engines) {
    if (type !== "" && so.seen.type.size < maxSeen) so.seen.type.add(type);
    if (status !== "" && so.seen.status.size < maxSeen) so.seen.status.add(status);
  }
  const skipped = Math.max(0, plan.offset - plan.serverOffset - so.matched);
  so.matched += wanted.length;
  const shown = wanted.slice(skipped, skipped + plan.most - so.shown);
  so.more ||= skipped + shown.length < wanted.length;
  so.shown += shown.length;
  return shown;
};

/** The server's pagination of one page; of several, that of the list as it was asked for. Its total, where it is known. */
const endOf = (plan: Plan, { last, matched, more }: Progress): ListEnd => {
  const none = { total: 0, offset: 0, hasPrevious: false, hasNext: false };
  const server: PaginatedResponse = last?.pagination ?? { $typeName: "bytenite.common.PaginatedResponse", ...none };
  if (!plan.several) return { pagination: server, isTotalKnown: true };
  const { offset } = plan;
  const total = plan.filtered ? matched : server.total;
  const pagination = { total, offset, hasPrevious: offset > 0, hasNext: more };
  return { pagination: { ...server, ...pagination }, isTotalKnown: !plan.filtered || !more };
};

/** Notes omitted engines, and whether bne filtered. */
const remark = (invocation: Invocation, plan: Plan, { last, matched, shown, more, seen }: Progress): void => {
  const { notes } = invocation;
  const total = last?.pagination?.total;
  const read = plan.serverOffset + (last?.read ?? 0);
  const lacks = !more && total !== undefined && read < total;
  const how = isOn(invocation, "all") ? "without --limit all are shown" : "--all shows the rest";
  if (more && plan.filtered) {
    notes.note(
      `${shown} engines that match, and there may be more; bne filters them, not the server. Without --limit all are shown.`,
      { shown },
    );
  } else if (more && last?.engines.length === 0) {
    notes.note(`${read} of ${total ?? "more"} engines; the server says that more follow, and sent none.`, { shown });
  } else if (more) {
    notes.note(`${shown} of ${total ?? "more"} engines; ${how}.`, {
      shown,
      ...(total === undefined ? {} : { total }),
    });
  } else if (lacks && !plan.filtered) {
    notes.note(`${read} of ${total} engines; the server says that no more follow.`, { shown, total });
  } else if (plan.filtered) {
    const of = lacks ? `${read} engines read of ${total}` : `${total ?? "?"} engines`;
    const missing = matched === 0 ? unseen(invocation, seen) : undefined;
    notes.note(
      `${shown} of ${of} match; bne filters them, not the server.${missing === undefined ? "" : ` ${missing}`}`,
      { shown },
    );
  } else if (shown === 0) notes.note("No engines.", { shown });
};

/** Most types or statuses in a message. */
const maxNamed = 10;

/** A sentence about a type or status that no engine has. */
const unseen = (invocation: Invocation, seen: Progress["seen"]): string | undefined => {
  for (const name of ["type", "status"] as const) {
    const wanted = textOf(invocation, name);
    if (wanted === undefined || seen[name].has(wanted) || seen[name].size === 0) continue;
    const there = [...seen[name]].toSorted();
    const isDocumented = filters.some((flag) => flag.name === name && flag.completes?.includes(wanted) === true);
    const hint =
      (isDocumented ? undefined : didYouMean(wanted, there)) ?? `There are: ${there.slice(0, maxNamed).join(", ")}.`;
    return safeText(`No engine has the ${name} ${JSON.stringify(wanted.slice(0, maxQuoted))}. ${hint}`);
  }
  return undefined;
};
