// Parser for the Prometheus text format.

/** One value of it. */
export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The values in a text of Prometheus. */
export const seriesIn = (text: string): ReadonlyArray<Series> =>
  text.split("\n").flatMap((line) => {
    const found = /^([a-z_]+)(?:\{(.*)\})? ([0-9.e+-]+)$/.exec(line);
    if (found === null) return [];
    const [, name = "", labels = "", value] = found;
    const pairs = [...labels.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, key = "", text = ""]) => [key, text] as const);
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }];
  });

/** The sum of the values of a name, of those with labels that pass. */
export const sumOf = (
  series: ReadonlyArray<Series>,
  name: string,
  passes: (labels: Series["labels"]) => boolean = () => true,
): number => series.reduce((sum, one) => sum + (one.name === name && passes(one.labels) ? one.value : 0), 0);
