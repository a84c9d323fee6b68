// Faults of each round.
import type { FaultRule } from "@bytenite-engines/registry/testing";
import type { Random } from "@bytenite-engines/test-kit/random";

/** What happens to a process in the midst of a round. `outage`: the registry is gone for a while. */
export type Disruption = "registry-stop" | "registry-kill" | "edge-stop" | "edge-kill" | "outage";

/** One round. */
export interface Round {
  readonly name: string;
  readonly faults: ReadonlyArray<FaultRule>;
  readonly disruption: Disruption | undefined;
  /** Whether some callers give up early. */
  readonly impatient: boolean;
}

const faults: Readonly<Record<string, ReadonlyArray<FaultRule>>> = {
  calm: [],
  latency: [{ probability: 0.5, fault: { latencyMs: { exponential: 120 } } }],
  errors: [
    { probability: 0.15, fault: { status: 503, hint: { kind: "retry-after-ms", ms: 50 } } },
    { probability: 0.05, fault: { status: 500 } },
  ],
  resets: [
    { probability: 0.08, fault: { reset: "before-headers" } },
    { probability: 0.08, fault: { reset: "in-headers" } },
    { probability: 0.08, fault: { reset: "in-body" } },
  ],
  cut: [{ probability: 0.2, fault: { cutBodyAfterBytes: 20 } }],
  slow: [{ probability: 0.3, fault: { slow: { headersMs: 150, bodyMs: 250 } } }],
  garbage: [
    { probability: 0.05, fault: { body: "garbage" } },
    { probability: 0.05, fault: { body: "html" } },
    // With the digest of our schema, no bytes are a message without fields, which a client must take for an answer.
    { probability: 0.05, fault: { body: "empty", schemaDigest: false } },
  ],
  labels: [
    { probability: 0.07, fault: { contentType: "application/json" } },
    { probability: 0.07, fault: { contentType: "text/html" } },
    { probability: 0.07, fault: { contentType: "application/x-protobuf", jsonOnly: true } },
    { probability: 0.07, fault: { jsonOnly: true } },
    { probability: 0.07, fault: { schemaDigest: false } },
  ],
  down: [{ fault: { status: 503 } }],
};

const mixed: ReadonlyArray<FaultRule> = Object.entries(faults)
  .filter(([name]) => name !== "down" && name !== "calm")
  .flatMap(([, rules]) => rules.map((rule) => ({ ...rule, probability: (rule.probability ?? 1) / 4 })));

const all: Readonly<Record<string, ReadonlyArray<FaultRule>>> = { ...faults, mixed };

const disruptions: ReadonlyArray<Disruption> = ["registry-kill", "edge-kill", "outage", "registry-stop", "edge-stop"];

/** Share of the rounds in which processes are ended. After that they live on, and their memory is watched. */
const disruptedShare = 0.45;

/** As many rounds; the last is calm, and so is one in four of the others. */
export const planOf = (count: number, random: Random): ReadonlyArray<Round> => {
  const names = Object.keys(all).filter((name) => name !== "calm");
  const bag: Array<string> = [];
  return Array.from({ length: count }, (_, index) => {
    const isCalm = index % 4 === 3 || index === count - 1;
    if (bag.length === 0) bag.push(...names);
    const name = isCalm ? "calm" : (bag.splice(random.below(bag.length), 1)[0] ?? "mixed");
    const isDisrupted = !isCalm && index < count * disruptedShare;
    return {
      name,
      faults: all[name] ?? [],
      disruption: isDisrupted ? disruptions[index % disruptions.length] : undefined,
      impatient: index % 3 === 1,
    };
  });
};
