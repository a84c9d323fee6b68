// Commands and compilers of a consumer, with their output in errors.
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** Runs a command in a folder. Resolves with its stdout; rejects with all it printed when its exit code is not 0. */
export const ran = (
  command: string,
  args: ReadonlyArray<string>,
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> =>
  new Promise((resolve, reject) => {
    const options = { cwd, env: { ...environment(), ...env }, maxBuffer: 64 * 1_024 * 1_024 };
    execFile(command, [...args], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${[command, ...args].join(" ")} in ${cwd}: ${error.message}\n${stdout}${stderr}`));
    });
  });

/** A compiler and its options. */
export interface Compiling {
  readonly compiler?: "typescript" | "typescript-5";
  readonly resolution?: keyof typeof modules;
  readonly lib?: ReadonlyArray<string>;
  /** Ambient types; there are no others. Default: those of Node. */
  readonly types?: ReadonlyArray<string>;
}

const modules = { node16: "node16", bundler: "esnext" } as const;

const web = ["es2024", "dom", "dom.iterable", "dom.asynciterable"];
const require = createRequire(import.meta.url);

/** What a compiler says of a program of a project. Rejects when it does not compile. */
export const compiled = (
  folder: string,
  program: string,
  { compiler = "typescript", resolution = "node16", lib = web, types = ["node"] }: Compiling = {},
): Promise<string> => {
  const config = join(folder, `tsconfig.${compiler}.${resolution}.${program}.json`);
  const compilerOptions = {
    target: "es2022",
    lib,
    module: modules[resolution],
    moduleResolution: resolution,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    types,
  };
  writeFileSync(config, JSON.stringify({ compilerOptions, files: [program] }));
  const manifest = require.resolve(`${compiler}/package.json`);
  const { bin } = JSON.parse(readFileSync(manifest, "utf8")) as { readonly bin: { readonly tsc: string } };
  return ran(process.execPath, [join(dirname(manifest), bin.tsc), "-p", config], folder);
};

/** Our environment without what a package manager that started us says of itself: it would steer the one we start. */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(?:npm_(?!config_)|pnpm_|INIT_CWD$)/i.test(name)),
  );
