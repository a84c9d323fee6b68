// Markdown page of the mutants, and the required score.
import type { Mutant } from "./Mutants.ts";

/** Share of mutants of each file that must be noticed. */
const leastShare = 0.9;

/** Why a change that nobody notices does no harm, or why no test is worth it. */
export interface Excuse {
  readonly file: string;
  readonly original: string;
  readonly replacement: string;
  readonly reason: string;
}

const isNoticed = ({ status }: Mutant): boolean => status === "Killed" || status === "Timeout";
const isSurvivor = ({ status }: Mutant): boolean => status === "Survived" || status === "NoCoverage";
/** Not one that could not be tried. */
const isCounted = (mutant: Mutant): boolean => isNoticed(mutant) || isSurvivor(mutant);

const excuseOf = (mutant: Mutant, excuses: ReadonlyArray<Excuse>): Excuse | undefined =>
  excuses.find(
    ({ file, original, replacement }) =>
      file === mutant.file && original === mutant.original && replacement === mutant.replacement,
  );

/** Problems of files and of excuses, as sentences. */
export const complaints = (
  files: ReadonlyArray<string>,
  mutants: ReadonlyArray<Mutant>,
  excuses: ReadonlyArray<Excuse>,
): ReadonlyArray<string> => [
  ...files
    .filter((file) => !mutants.some((mutant) => mutant.file === file && isCounted(mutant)))
    .map((file) => `${file}: no change of it was tried`),
  ...byFile(mutants)
    .filter(({ share }) => share < leastShare)
    .map(({ file, share }) => `${file}: ${percent(share)} noticed, ${percent(leastShare)} wanted`),
  ...mutants
    .filter((mutant) => isSurvivor(mutant) && excuseOf(mutant, excuses) === undefined)
    .map(({ file, line, original, replacement }) => `${file}:${line}: nobody noticed ${original} -> ${replacement}`),
  ...excuses
    .filter((excuse) => !mutants.some((mutant) => isSurvivor(mutant) && excuseOf(mutant, [excuse]) !== undefined))
    .map(({ file, original, replacement }) => `${file}: no such survivor any more: ${original} -> ${replacement}`),
];

const byFile = (mutants: ReadonlyArray<Mutant>) =>
  [...new Set(mutants.filter(isCounted).map(({ file }) => file))].map((file) => {
    const own = mutants.filter((mutant) => mutant.file === file && isCounted(mutant));
    const noticed = own.filter(isNoticed).length;
    return { file, mutants: own.length, noticed, share: noticed / own.length };
  });

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** The page, in Markdown. */
export const page = (mutants: ReadonlyArray<Mutant>): string =>
  [
    "# Mutation testing",
    "",
    "`pnpm mutate --write` changes the pure rules, one place at a time (Stryker), and runs their tests: half an hour on two cores.",
    `At least ${percent(leastShare)} of the changes of each file are noticed; \`packages/internal/lab/mutation/survivors.json\` has the reason of each that`,
    "is not. `pnpm mutate --random N --seed S` changes random places of everything else.",
    "",
    "Noticed changes of all:",
    "",
    ...byFile(mutants).map(({ file, mutants: count, noticed }) => `- \`${file}\`: ${noticed}/${count}`),
    "",
  ].join("\n");
