// Decides: which programs that no npm package brings the tests use, and gets them where that can be done unasked.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { quietly, step } from "./Step.ts";

/** Program -> the Debian package that brings it. Tests that miss theirs are skipped, and the closing line counts them. */
const debianPackages = {
  protoc: "protobuf-compiler",
} as const satisfies Readonly<Record<string, string>>;

const onPath = (program: string): boolean =>
  (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** Installs what is missing where we are root on Debian; says what is missing anywhere else. */
export const installSystemPackages = async (): Promise<void> => {
  const missing = Object.entries(debianPackages).filter(([program]) => !onPath(program));
  if (missing.length === 0) return;
  const packages = missing.map(([, name]) => name);
  if (process.getuid?.() === 0 && onPath("apt-get")) {
    const install = ["install", "--yes", "--no-install-recommends", ...packages];
    await step(`install ${packages.join(", ")} for the tests`, async () => {
      await quietly("apt-get", ["update"]);
      await quietly("apt-get", install);
    });
  } else {
    process.stdout.write(
      `Not found: ${missing.map(([program]) => program).join(", ")}; tests that need it are skipped ` +
        `(Debian: apt-get install ${packages.join(" ")}).\n`,
    );
  }
};
