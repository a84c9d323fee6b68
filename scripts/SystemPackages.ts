// System programs of the tests, and their installation.
import { spawnSync } from "node:child_process";
import { quietly, step } from "./Step.ts";

interface SystemProgram {
  /** A command that ends with 0 where the program is complete. */
  readonly probe: readonly [command: string, ...args: ReadonlyArray<string>];
  /** The Debian packages that bring it. */
  readonly packages: ReadonlyArray<string>;
}

const version = (command: string): SystemProgram["probe"] => [command, "--version"];

/** Tests that miss theirs are skipped, and the closing line counts them. */
const programs: Readonly<Record<string, SystemProgram>> = {
  // Debian keeps the well-known types, which protoc needs to read ours, in the package of the C++ headers.
  protoc: {
    probe: ["protoc", "--decode=google.protobuf.Timestamp", "google/protobuf/timestamp.proto"],
    packages: ["protobuf-compiler", "libprotobuf-dev"],
  },
  // grpc-gateway's own generator of OpenAPI documents.
  "protoc-gen-openapiv2": { probe: version("protoc-gen-openapiv2"), packages: ["golang-grpc-gateway"] },
  // A service that nobody here wrote, and its proto files.
  etcd: {
    probe: ["sh", "-c", "command -v etcd && test -e /usr/share/gocode/src/go.etcd.io/etcd/api/etcdserverpb/rpc.proto"],
    packages: ["etcd-server", "golang-etcd-server-dev"],
  },
  openssl: { probe: ["openssl", "version"], packages: ["openssl"] },
  // Makers of archives that are not ours.
  bsdtar: { probe: version("bsdtar"), packages: ["libarchive-tools"] },
  python3: { probe: version("python3"), packages: ["python3"] },
  curl: { probe: version("curl"), packages: ["curl"] },
  // In front of the proxy and behind it.
  nginx: { probe: ["nginx", "-v"], packages: ["nginx"] },
  chromium: { probe: version("chromium"), packages: ["chromium"] },
  zsh: { probe: version("zsh"), packages: ["zsh"] },
  fish: { probe: version("fish"), packages: ["fish"] },
  mandoc: { probe: ["sh", "-c", "command -v mandoc"], packages: ["mandoc"] },
  "a keyring": {
    probe: ["sh", "-c", "command -v gnome-keyring-daemon && command -v dbus-run-session"],
    packages: ["gnome-keyring", "dbus"],
  },
};

const works = ({ probe: [command, ...args] }: SystemProgram): boolean =>
  spawnSync(command, args, { input: "" }).status === 0;

/** Installs missing programs as root on Debian; elsewhere lists them. */
export const installSystemPackages = async (): Promise<void> => {
  const missing = Object.entries(programs).filter(([, program]) => !works(program));
  if (missing.length === 0) return;
  const names = missing.map(([name]) => name).join(", ");
  const packages = missing.flatMap(([, program]) => program.packages);
  const isDebian = spawnSync("apt-get", ["--version"]).status === 0;
  const installed =
    process.getuid?.() === 0 &&
    isDebian &&
    (await step(`install ${names} for the tests`, async () => {
      await quietly("apt-get", ["update"]);
      await quietly("apt-get", ["install", "--yes", "--no-install-recommends", ...packages]);
    }));
  if (!installed) {
    const hint = `Debian: apt-get install ${packages.join(" ")}`;
    process.stdout.write(`Without ${names} the tests that need it are skipped (${hint}).\n`);
  }
};
