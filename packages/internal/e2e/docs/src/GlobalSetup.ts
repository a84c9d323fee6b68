// Tarballs of the packages, packed once for all guides.
import { execFileSync } from "node:child_process";
import { root } from "@bytenite-engines/test-kit";

export default (): void => {
  execFileSync(process.execPath, ["scripts/tarballs.ts", "--no-build"], { cwd: root });
};
