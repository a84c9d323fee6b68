// Report of a simulation, and the tolerances of the model.
import { billOf } from "./Bill.ts";
import type { Check, Compared } from "./Measured.ts";
import { isolateBytes, logLinesPerDay, pricesReadOn } from "./Prices.ts";
import type { Simulated, Stretch } from "./Simulation.ts";

/** Largest relative error of the model. */
const tolerances = { fromCache: 0.03, upstream: 0.05, entries: 0.03, bytes: 0.05 } as const;

const share = (part: number, whole: number): string => `${((100 * part) / Math.max(whole, 1)).toFixed(1)} %`;
const thousands = (value: number): string => Math.round(value).toLocaleString("en");
const dollars = (value: number): string => `$${thousands(value)}`;
const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);

/** A Markdown table. */
const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map((_, index) => (index === 0 ? "---" : "---:")), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");

/** Whether the model is within its allowed error. */
export const isNear = (check: Check): boolean =>
  (Object.keys(tolerances) as ReadonlyArray<keyof typeof tolerances>).every((name) =>
    isWithin(check[name], tolerances[name]),
  );

const isWithin = ({ measured, modelled }: Compared, tolerance: number): boolean =>
  Math.abs(modelled - measured) <= tolerance * measured;

/** The check, as a table. */
export const checkText = (check: Check): string => {
  const names = {
    fromCache: "answered from a cache",
    upstream: "requests that the upstream got",
    entries: "answers in memory at the end",
    bytes: "bytes that they are counted with",
  } as const;
  const rows = (Object.keys(names) as ReadonlyArray<keyof typeof names>).map((name) => {
    const { measured, modelled } = check[name];
    const verdict = isWithin(check[name], tolerances[name]) ? "holds" : "DOES NOT HOLD";
    return [names[name], thousands(measured), thousands(modelled), `${tolerances[name] * 100} %`, verdict];
  });
  return [
    `The same ${thousands(check.requests)} requests in ${check.seconds.toFixed(1)} s, through workerd (2 isolates, one Cache API) and a registry, and through the model:`,
    table(["", "measured", "modelled", "tolerance", ""], rows),
    `An exchange with the upstream took ${thousands(check.exchangeCpuUs)} µs of processor time more than a hit.`,
  ].join("\n\n");
};

const stretchRow = (name: string, simulated: Simulated, stretch: Stretch): ReadonlyArray<string> => {
  const { became, requests } = stretch;
  return [
    name,
    share(became.memory, requests),
    share(became["data-centre"], requests),
    share(became.stale, requests),
    share(became["workers-cache"], requests),
    share(became.fetched + became.collapsed, requests),
    share(became["stale-if-error"], requests),
    share(became.failed, requests),
    thousands(billOf(simulated, stretch).upstreamPerSecond),
    mib(simulated.isolateBytes.mean),
  ];
};

const head = [
  "",
  "memory",
  "data centre",
  "stale, revalidated",
  "Workers Cache",
  "from the upstream",
  "stale if error",
  "failed",
  "upstream/s",
  "MiB of an isolate",
];

/** Where requests are answered, scenario by scenario. */
export const tiersText = (simulations: ReadonlyArray<Simulated>): string =>
  table(
    head,
    simulations.flatMap((simulated) =>
      simulated.stretches.map((stretch, index) => {
        const { name, outage } = simulated.scenario;
        const when = outage === undefined ? "" : [": before", ": during", ": after"][index];
        return stretchRow(`${name}${when}`, simulated, stretch);
      }),
    ),
  );

/** Cost of a month and load of D1, for scenarios without an outage. */
export const billText = (simulations: ReadonlyArray<Simulated>): string => {
  const rows = simulations.flatMap((simulated) => {
    const [stretch] = simulated.stretches;
    if (stretch === undefined || simulated.stretches.length > 1) return [];
    const bill = billOf(simulated, stretch);
    return [
      [
        simulated.scenario.name,
        dollars(bill.requests),
        dollars(bill.cpu),
        dollars(bill.d1),
        thousands(bill.d1QueriesPerSecond),
        thousands(bill.d1PrimaryPerSecond),
        `${bill.d1Databases}`,
        `${bill.d1Replicated}`,
        dollars(bill.logs),
        (bill.logLinesPerDay / 1e9).toFixed(2),
        dollars(bill.analytics),
      ],
    ];
  });
  return [
    `Dollars a month, by prices read on ${pricesReadOn}:`,
    table(
      [
        "",
        "requests",
        "processor",
        "D1 rows",
        "D1 queries/s",
        "of the primary",
        "databases",
        "with replicas",
        "if all are logged",
        "lines a day, 10^9",
        "in Analytics Engine",
      ],
      rows,
    ),
    `The runtime ends an isolate at ${mib(isolateBytes)} MiB; an account keeps ${logLinesPerDay / 1e9} · 10^9 lines of log a day, of those beyond it 1 %.`,
  ].join("\n\n");
};
