// Bundle of a Worker as one ES module.
import { rolldown } from "rolldown";

/** Bundles an entry point, given by its path. */
export const bundled = async (entry: string): Promise<string> => {
  const build = await rolldown({
    input: entry,
    platform: "browser",
    external: [/^cloudflare:/, /^node:/],
    resolve: { conditionNames: ["workerd", "worker", "import", "default"] },
  });
  const { output } = await build.generate({ format: "esm", minify: true, codeSplitting: false });
  await build.close();
  return output[0].code;
};
