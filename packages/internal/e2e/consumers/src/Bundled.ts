// Bundles of a consumer's program and its installed packages.
import { join } from "node:path";
import { rolldown } from "rolldown";

/** The conditions of `exports` that a bundler names for a runtime. */
const conditions = { browser: ["browser", "import", "default"], workers: ["workerd", "worker", "import", "default"] };

/** One ES module of a program of the project and all that it imports. Throws when something cannot be resolved. */
export const bundled = async (project: string, program: string, runtime: keyof typeof conditions): Promise<string> => {
  const bundle = await rolldown({
    input: join(project, program),
    platform: "browser",
    logLevel: "silent",
    resolve: { conditionNames: conditions[runtime] },
  });
  const { output } = await bundle.generate({ format: "esm", codeSplitting: false, minify: true });
  await bundle.close();
  const [{ code, imports, dynamicImports }] = output;
  const left = [...imports, ...dynamicImports];
  if (left.length > 0) throw new Error(`${program} still imports ${left.join(", ")}`);
  return code;
};
