// Alternating measurement of contenders in short rounds.

/** Measurement of a contender in one round. */
export interface Sample {
  /** Per call, in microseconds. */
  readonly wallUs: number;
  /** Per call, in microseconds, of this process: user and system. */
  readonly cpuUs: number;
}

/** Something that can be called again and again. */
export interface Contender {
  readonly name: string;
  /** One call; `slot` numbers concurrent ones, from 0. */
  readonly call: (slot: number) => Promise<unknown>;
}

/** Amount of measurement. */
export interface Extent {
  readonly rounds: number;
  /** Calls of each contender in a round. */
  readonly calls: number;
  /** Calls under way at once. */
  readonly concurrency: number;
  /** Calls of each contender before the first round. Default: those of a round. */
  readonly warmUp?: Pick<Extent, "calls" | "concurrency">;
}

/** Something whose rounds are measured, here or elsewhere. */
export interface Measurable {
  readonly name: string;
  readonly round: (extent: Extent) => Promise<Sample>;
}

/** The samples of contenders in this process, round by round. */
export const interleaved = (
  contenders: ReadonlyArray<Contender>,
  extent: Extent,
): Promise<ReadonlyMap<string, ReadonlyArray<Sample>>> =>
  takingTurns(
    contenders.map((contender) => ({ name: contender.name, round: (extent) => measureRound(contender, extent) })),
    extent,
  );

/** The samples of all, round by round. */
export const takingTurns = async (
  contenders: ReadonlyArray<Measurable>,
  extent: Extent,
): Promise<ReadonlyMap<string, ReadonlyArray<Sample>>> => {
  const samples = new Map<string, Array<Sample>>(contenders.map(({ name }) => [name, []]));
  // Without counting: compiled code, open connections.
  for (const { round } of contenders) await round({ ...extent, ...extent.warmUp });
  for (let turn = 0; turn < extent.rounds; turn++) {
    for (let index = 0; index < contenders.length; index++) {
      const contender = contenders[(index + turn) % contenders.length];
      if (contender !== undefined) samples.get(contender.name)?.push(await contender.round(extent));
    }
  }
  return samples;
};

/** One round of a contender in this process. */
export const measureRound = async ({ call }: Contender, { calls, concurrency }: Extent): Promise<Sample> => {
  let left = calls;
  const worker = async (slot: number): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await call(slot);
    }
  };
  const cpu = process.cpuUsage();
  const start = process.hrtime.bigint();
  await Promise.all(Array.from({ length: concurrency }, (_, slot) => worker(slot)));
  const wallNs = Number(process.hrtime.bigint() - start);
  const { user, system } = process.cpuUsage(cpu);
  return { wallUs: wallNs / 1_000 / calls, cpuUs: (user + system) / calls };
};
