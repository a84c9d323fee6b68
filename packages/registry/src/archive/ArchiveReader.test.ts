// Archives by hand, GNU tar, bsdtar and Python, also damaged.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { seeded } from "@bytenite-engines/test-kit/random";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveLimits, type ArchiveLimits } from "./ArchivePath.ts";
import { ArchiveError, makeByteReader, readArchive, streamOf } from "./ArchiveReader.ts";

const folder = mkdtempSync(join(tmpdir(), "archives-"));
afterAll(() => rmSync(folder, { recursive: true }));

const chunked = async function* (bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
};

/** `path size` of each file, `path/` of each folder; or the message of the ArchiveError. */
const read = async (
  bytes: Uint8Array,
  { size = 1_000, limits = archiveLimits }: { size?: number; limits?: ArchiveLimits } = {},
): Promise<ReadonlyArray<string> | string> => {
  const found: Array<string> = [];
  try {
    for await (const entry of readArchive(chunked(bytes, size), limits)) {
      let length = 0;
      for await (const chunk of entry.body) length += chunk.length;
      expect(length).toBe(entry.size);
      found.push(entry.type === "file" ? `${entry.path} ${length}` : `${entry.path}/`);
    }
    return found;
  } catch (error) {
    if (error instanceof ArchiveError) return error.message;
    throw error;
  }
};

interface Header {
  readonly name?: string | Uint8Array;
  readonly type?: string;
  readonly body?: string;
  readonly size?: string;
  readonly prefix?: string;
  readonly magic?: string;
  readonly mode?: string;
  readonly checksum?: number;
}

const blocks = ({
  name = "a",
  type = "0",
  body = "",
  size,
  prefix = "",
  magic = "ustar\u000000",
  mode = "0000644",
  checksum,
}: Header): Buffer => {
  const data = Buffer.from(body);
  const block = Buffer.alloc(512);
  block.set(typeof name === "string" ? Buffer.from(name) : name);
  block.write(`${mode}\0`, 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  block.write(size ?? `${data.length.toString(8).padStart(11, "0")}\0`, 124, "latin1");
  block.write("00000000000\0", 136);
  block.write("        ", 148);
  block.write(type, 156);
  block.write(magic, 257);
  block.write(prefix, 345);
  const sum = checksum ?? block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([block, data, Buffer.alloc(-data.length & 511)]);
};

const end = Buffer.alloc(1_024);
const tar = (...headers: ReadonlyArray<Header>): Buffer => Buffer.concat([...headers.map(blocks), end]);
const pax = (...records: ReadonlyArray<string>): Header => ({
  name: "p",
  type: "x",
  body: records.map(record).join(""),
});
const record = (text: string): string => {
  const length = Buffer.byteLength(text) + 2;
  const digits = String(length + String(length).length).length;
  return `${length + digits} ${text}\n`;
};
const file = (name: string): Header => ({ name, body: "x" });
/** A PAX record of so many bytes. */
const comment = (bytes: number): string => `comment=${"c".repeat(bytes - 10 - String(bytes).length)}`;
/** A size in base 256. */
const binary = (size: number): string => `\x80${"\0".repeat(9)}${String.fromCharCode(size >> 8, size & 255)}`;

test.for<[what: string, archive: Uint8Array, found: ReadonlyArray<string>]>([
  ["a file", tar(file("a")), ["a 1"]],
  ["nothing", tar(), []],
  ["./ in front", tar({ name: "./", type: "5" }, file("./a/b")), ["a/b 1"]],
  ["a folder", tar({ name: "d/", type: "5" }, file("d/a")), ["d/", "d/a 1"]],
  ["a folder twice", tar({ name: "d", type: "5" }, { name: "d/", type: "5" }), ["d/", "d/"]],
  ["a prefix", tar({ ...file("b"), prefix: "a" }), ["a/b 1"]],
  ["a PAX name", tar(pax(`path=${"d/".repeat(20)}ä`), file("x")), [`${"d/".repeat(20)}ä 1`]],
  ["a GNU name", tar({ type: "L", body: `${"n".repeat(200)}\0` }, file("x")), [`${"n".repeat(200)} 1`]],
  ["a comment of git", tar({ name: "pax_global_header", type: "g", body: record("comment=abc") }, file("a")), ["a 1"]],
  ["a PAX size", tar(pax("size=1"), { ...file("a"), size: "00000000000\0" }), ["a 1"]],
  ["a size in base 256", tar({ ...file("a"), size: binary(1) }), ["a 1"]],
  [
    "a PAX header with a size in base 256",
    tar({ ...pax(comment(300), "path=b"), size: binary(309) }, file("a")),
    ["b 1"],
  ],
  ["a folder without a size", tar({ name: "d", type: "5", size: " ".repeat(12) }), ["d/"]],
  ["a part of 255 bytes", tar(pax(`path=d/${"a".repeat(255)}`), file("a")), [`d/${"a".repeat(255)} 1`]],
  ["32 folders", tar(pax(`path=${"a/".repeat(31)}b`), file("a")), [`${"a/".repeat(31)}b 1`]],
  [
    "a name of 1024 bytes",
    tar(pax(`path=${"a".repeat(250)}${`/${"a".repeat(128)}`.repeat(6)}`), file("a")),
    [`${"a".repeat(250)}${`/${"a".repeat(128)}`.repeat(6)} 1`],
  ],
  ["16384 bytes about an entry", tar(pax(comment(16_384)), file("a")), ["a 1"]],
  ["many zeros at the end", Buffer.concat([tar(file("a")), Buffer.alloc(9_216)]), ["a 1"]],
])("%s is read, plain and gzip, in chunks of any size", async ([, archive, found]) => {
  for (const size of [1, 511, 512, 100_000]) {
    expect(await read(archive, { size })).toEqual(found);
    expect(await read(gzipSync(archive), { size })).toEqual(found);
  }
});

const refused: ReadonlyArray<
  readonly [what: string, archive: Uint8Array, problem: string, limits?: Partial<ArchiveLimits>]
> = [
  ["nothing at all", Buffer.alloc(0), "a tar file: it has 0 bytes"],
  ["text", Buffer.from("hello".repeat(200)), "a tar file of POSIX or GNU"],
  ["a zip", Buffer.concat([Buffer.from("PK\u0003\u0004"), Buffer.alloc(1_020, 7)]), "a tar file of POSIX or GNU"],
  ["a short text", Buffer.from("hello"), "a tar file: it has 5 bytes"],
  ["a gzip of text", gzipSync("hello"), "a tar file: it has 5 bytes"],
  ["a name that begins as gzip does", tar(file("\x1fa")), "control character"],
  ["an absolute name", tar(file("/etc/passwd")), "absolute path"],
  ["a Windows path", tar(file("C:/x")), "absolute path"],
  ["a backslash", tar(file("..\\x")), "backslash"],
  ["..", tar(file("a/../../x")), '".."'],
  [".. alone", tar(file("..")), '".."'],
  [".. behind ./", tar(file("./../x")), '".."'],
  [".. in a PAX name", tar(pax("path=../x"), file("a")), '".."'],
  [".. in a GNU name", tar({ type: "L", body: "../x\0" }, file("a")), '".."'],
  [".. in a prefix", tar({ ...file("x"), prefix: ".." }), '".."'],
  ["an empty part", tar(file("a//b")), "empty part"],
  ["a dot inside", tar(file("a/./b")), "empty part"],
  ["no name", tar(file("")), "no name"],
  ["a dot at the end", tar(file("a.")), "ends with a dot"],
  ["a dot at the end of a folder", tar(file("a./b")), "ends with a dot"],
  ["a control character", tar(file("a\nb")), "control character"],
  ["NUL in a PAX name", tar(pax("path=a\0b"), file("a")), "in several ways"],
  ["a PAX key twice", tar(pax("path=a", "path=b"), file("a")), "in several ways"],
  ["a PAX key twice, in records of other lengths", tar(pax("path=a", "path=bc"), file("a")), "in several ways"],
  [
    "a PAX key twice, once behind a byte order mark",
    tar(pax("path=a", "\u{FEFF}path=b"), file("a")),
    "in several ways",
  ],
  ["a PAX record without a key", tar(pax("=a"), file("a")), "in several ways"],
  ["a PAX record that is too long", tar({ type: "x", body: "20 path=a\n" }, file("a")), "in several ways"],
  ["a PAX record that is too short", tar({ type: "x", body: "9 path=ab\n" }, file("a")), "in several ways"],
  ["a PAX record without a length", tar({ type: "x", body: "path=a\n" }, file("a")), "in several ways"],
  ["a GNU name without an end", tar({ type: "L", body: "abc" }, file("a")), "in several ways"],
  ["a GNU name of no bytes", tar({ type: "L", body: "" }, file("a")), "in several ways"],
  ["an empty GNU name", tar({ type: "L", body: "\0" }, file("a")), "no name"],
  ["a GNU name with NUL in it", tar({ type: "L", body: "a\0bc\0" }, file("a")), "in several ways"],
  ["an empty PAX name", tar(pax("path="), file("a")), "no name"],
  ["a name that is not UTF-8", tar({ ...file("a"), name: Buffer.from([0x61, 0xff]) }), "UTF-8"],
  ["a hard link", tar({ name: "a", type: "1" }), "hard link"],
  ["a symbolic link", tar({ name: "a", type: "2" }), "symbolic link"],
  [
    "a symbolic link to a GNU name",
    tar({ type: "K", body: `${"n".repeat(200)}\0` }, { name: "a", type: "2" }),
    "symbolic link",
  ],
  ["a character device", tar({ name: "a", type: "3" }), "device"],
  ["a block device", tar({ name: "a", type: "4" }), "device"],
  ["a FIFO", tar({ name: "a", type: "6" }), "FIFO"],
  ["a contiguous file", tar({ name: "a", type: "7" }), "unknown type"],
  ["a sparse file of GNU", tar({ name: "a", type: "S" }), "sparse"],
  ["a sparse file of PAX", tar(pax("GNU.sparse.major=1"), file("a")), "sparse"],
  ["a sparse file of star", tar(pax("SCHILY.realsize=5"), file("a")), "sparse"],
  ["a volume label", tar({ name: "a", type: "V" }), "unknown type"],
  ["an unknown type", tar({ name: "a", type: "Z" }), "unknown type"],
  ["a folder with contents", tar({ name: "a", type: "5", body: "x" }), "folder with contents"],
  ["a file with a slash at the end", tar(file("a/")), "ends with a slash"],
  ["a folder as old tars have it", tar({ name: "d/", type: "\0" }), "ends with a slash"],
  ["a file twice", tar(file("a"), file("a")), "there twice"],
  ["a file twice, as ./a", tar(file("a"), file("./a")), "there twice"],
  ["another case", tar(file("a"), file("A")), "case and Unicode form"],
  ["another case of a folder", tar(file("d/a"), file("D/b")), "case and Unicode form"],
  ["another Unicode form", tar(file("\u00e4"), file("a\u0308")), "case and Unicode form"],
  ["a sharp s", tar(file("stra\u00dfe"), file("STRASSE")), "case and Unicode form"],
  ["a ligature", tar(file("\ufb01le"), file("file")), "case and Unicode form"],
  ["a file that is a folder", tar(file("a"), file("a/b")), "both a file and a folder"],
  ["a folder that is a file", tar(file("a/b"), file("a")), "both a file and a folder"],
  ["a wrong checksum", tar({ name: "a", checksum: 1 }), "is not a tar file"],
  ["an invalid size", tar({ name: "a", size: "12x45678901\0" }), "invalid size"],
  ["a size below 0", tar({ name: "a", size: "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" }), "invalid size"],
  ["a size of more than 53 bits", tar({ name: "a", size: `\x80\x01${"\0".repeat(10)}` }), "invalid size"],
  ["a huge size", tar({ name: "a", size: "77777777777\0" }), "more than 268435456 bytes"],
  ["a huge PAX size", tar(pax("size=9007199254740991"), file("a")), "more than 268435456 bytes"],
  ["a PAX size that is no number", tar(pax("size=1e3"), file("a")), 'entry "a": it has an invalid size'],
  ["a PAX size below 0", tar(pax("size=-1"), file("a")), 'entry "a": it has an invalid size'],
  [
    "a long name",
    tar(pax(`path=${"ab".repeat(512)}c`), file("a")),
    `entry "${"ab".repeat(100)}": its name is longer than 1024 bytes`,
  ],
  ["a long part", tar(pax(`path=b/${"a".repeat(256)}`), file("a")), "longer than 255 bytes"],
  ["many folders", tar(pax(`path=${"a/".repeat(32)}b`), file("a")), "more than 32 folders"],
  ["long PAX records", tar(pax(comment(16_385)), file("a")), "more than 16384 bytes"],
  [
    "many PAX headers",
    tar(...Array.from({ length: 40 }, () => pax(`comment=${"c".repeat(500)}`)), file("a")),
    "more than 16384 bytes",
  ],
  ["a PAX header of a huge size", tar({ name: "p", type: "x", size: "77777777777\0" }), "more than 16384 bytes"],
  ["a name for all", tar({ name: "g", type: "g", body: record("path=x") }, file("a")), "records for all entries"],
  [
    "a comment in the middle",
    tar(file("a"), { name: "g", type: "g", body: record("comment=x") }, file("b")),
    "records for all entries",
  ],
  [
    "two comments",
    tar(...["a", "b"].map((name) => ({ name, type: "g", body: record("comment=x") })), file("b")),
    "records for all entries",
  ],
  ["a PAX header at the end", tar(file("a"), pax("path=b")), "cut short"],
  ["a header of before POSIX", tar({ ...file("a"), magic: "" }), "a tar file of POSIX or GNU"],
  [
    "times of GNU where POSIX has a name",
    tar({ ...file("a"), magic: "ustar  \0", prefix: "x" }),
    "a tar file of POSIX or GNU",
  ],
  ["no end", tar(file("a")).subarray(0, -1_024), "cut short"],
  ["half an end", tar(file("a")).subarray(0, -512), "cut short"],
  ["half a file", tar(file("a")).subarray(0, 600), "cut short"],
  ["something behind the end", Buffer.concat([tar(file("a")), tar(file("b"))]), "goes on after its end"],
  ["a byte behind the end", Buffer.concat([tar(file("a")), Buffer.of(1), Buffer.alloc(511)]), "goes on after its end"],
  ["zeros in the middle", Buffer.concat([blocks(file("a")), Buffer.alloc(512), tar(file("b"))]), "zeros in the middle"],
  ["half a gzip", gzipSync(tar(file("a"))).subarray(0, -9), "not a gzip stream from start to end: it was cut short"],
  ["two gzips", Buffer.concat([gzipSync(tar(file("a"))), gzipSync("x")]), "not a gzip stream from start to end: "],
  [
    "a bomb",
    gzipSync(tar({ name: "a", body: "\0".repeat(3_000_000) })),
    "more than 1000000 bytes",
    { unpackedBytes: 1_000_000 },
  ],
];

test.for(refused)("%s is refused", async ([, archive, problem, limits]) => {
  expect(await read(archive, { limits: { ...archiveLimits, ...limits } })).toContain(problem);
});

test("zeros behind a gzip are counted with those at its end, and named where they are more than those", async () => {
  const gzip = gzipSync(tar(file("a")));
  const own = gzip.length - 1 - gzip.findLastIndex((byte) => byte !== 0);
  for (const size of [1, 7, 1_000]) {
    for (const zeros of [9, 10, 600]) {
      expect(await read(Buffer.concat([gzip, Buffer.alloc(zeros - own)]), { size })).toBe(
        `the archive has ${zeros} zero bytes at its end, after its gzip stream, as bsdtar adds them in a pipe: write it to a file, or compress it with gzip`,
      );
    }
    expect(await read(Buffer.concat([gzip, Buffer.alloc(8 - own)]), { size })).toContain("not a gzip stream");
  }
});

test("an archive may be as large as its limits", async () => {
  expect(archiveLimits).toEqual({
    entries: 10_000,
    nameBytes: 1_024,
    depth: 32,
    headerBytes: 16_384,
    unpackedBytes: 268_435_456,
  });
  const archive = tar(file("a"), file("b"));
  for (const bytes of [archive, gzipSync(archive)]) {
    const limits = { ...archiveLimits, entries: 2, unpackedBytes: archive.length };
    expect(await read(bytes, { limits })).toEqual(["a 1", "b 1"]);
    expect(await read(bytes, { limits: { ...limits, entries: 1 } })).toBe("the archive has more than 1 entries");
    expect(await read(bytes, { limits: { ...limits, unpackedBytes: archive.length - 1 } })).toBe(
      `the archive has more than ${archive.length - 1} bytes when unpacked`,
    );
  }
});

test("a file is executable if anybody may execute it", async () => {
  for (const [mode, expected] of [
    ["0000666", false],
    ["0000100", true],
    ["0000010", true],
    ["0000001", true],
  ] as const) {
    for await (const { isExecutable } of readArchive(chunked(tar({ ...file("a"), mode }), 512))) {
      expect([mode, isExecutable]).toEqual([mode, expected]);
    }
  }
});

/** Chunks of one byte, and how many were asked for. */
const counted = () => {
  const state = { given: 0, isEnded: false };
  const source = async function* (): AsyncGenerator<Uint8Array> {
    try {
      while (state.given < 1_000) yield Uint8Array.of(++state.given);
    } finally {
      state.isEnded = true;
    }
  };
  return { state, source: source() };
};

test("a source is asked for what is needed alone, and ended where it is not read to its end", async () => {
  const streamed = counted();
  const stream = streamOf(streamed.source).getReader();
  const refusing = counted();
  await expect(readArchive(refusing.source).next()).rejects.toThrow(ArchiveError);
  await expect.poll(() => refusing.state).toEqual({ given: 512, isEnded: true });
  const partly = counted();
  for await (const chunk of makeByteReader(partly.source, Infinity).rest()) if (chunk[0] === 2) break;
  await expect.poll(() => partly.state).toEqual({ given: 2, isEnded: true });
  const pieces = counted();
  const reader = makeByteReader(pieces.source, 3);
  expect([await reader.some(5), await reader.exactly(2)]).toEqual([Uint8Array.of(1), Uint8Array.of(2, 3)]);
  expect(pieces.state.given).toBe(3);
  await expect(reader.some(1)).rejects.toThrow("the archive has more than 3 bytes when unpacked");
  expect(streamed.state.given).toBe(0);
  await stream.read();
  expect(streamed.state.given).toBe(1);
  await stream.cancel();
  expect(streamed.state.isEnded).toBe(true);
});

const broken = async function* (): AsyncGenerator<Uint8Array> {
  yield gzipSync(tar(file("a"))).subarray(0, 20);
  throw new TypeError("gone");
};

test("an error of the source comes out as it is", async () => {
  await expect(readArchive(broken()).next()).rejects.toThrow(new TypeError("gone"));
});

/** Archives that GNU tar, bsdtar and Python make of good and hostile folders. */
beforeAll(() => {
  const script = `
set -e
mkdir -p good/app hostile; echo '{}' > good/manifest.json; echo x > good/app/main.py; chmod 755 good/app/main.py
name=$(printf 'long%.0s' $(seq 40)); echo y > good/$name
tar cf good-gnu.tar good; tar --format=posix -cf good-posix.tar good; tar czf good-dot.tar -C good .; tar --format=ustar -cf good-ustar.tar good/app
bsdtar cf good-bsd.tar good; bsdtar --format ustar -cf good-bsd-ustar.tar good/app; bsdtar -czf good-bsd-gz.tar good
mkdir s; ln -s /etc/passwd s/l; tar cf bad-symlink.tar s; bsdtar cf bad-symlink-bsd.tar s
mkdir h; echo x > h/a; ln h/a h/b; tar cf bad-hardlink.tar h; bsdtar cf bad-hardlink-bsd.tar h
mkdir f; mkfifo f/p; tar cf bad-fifo.tar f; bsdtar cf bad-fifo-bsd.tar f
mkdir z; truncate -s 1M z/sparse; tar cSf bad-sparse.tar z; tar --format=gnu -cSf bad-sparse-gnu.tar z
tar cPf bad-absolute.tar "$PWD/h/a"; mkdir -p u/v; (cd u/v && tar cPf ../../bad-dotdot.tar ../../h/a)
tar cf bad-device.tar /dev/null 2> /dev/null
cp good-gnu.tar bad-appended.tar; tar rf bad-appended.tar good/manifest.json
`;
  execFileSync("bash", ["-c", script], { cwd: folder });
  const python = `
import io, tarfile
def make(name, format, *members):
    with tarfile.open(name, "w", format=format) as t:
        for n, kind, size in members:
            i = tarfile.TarInfo(n); i.type = kind; i.size = size; i.linkname = "x" if kind in (b"1", b"2") else ""
            t.addfile(i, io.BytesIO(b"x" * size) if size else None)
for f, w in ((tarfile.USTAR_FORMAT, "ustar"), (tarfile.GNU_FORMAT, "gnu"), (tarfile.PAX_FORMAT, "pax")):
    make(f"good-python-{w}.tar", f, ("d", b"5", 0), ("d/a", b"0", 3), ("d/" + "x" * 90, b"0", 0))
    make(f"bad-python-{w}-up.tar", f, ("../a", b"0", 1))
    make(f"bad-python-{w}-twice.tar", f, ("a", b"0", 1), ("a", b"0", 2))
    for t in (b"1", b"2", b"3", b"4", b"6", b"7"):
        make(f"bad-python-{w}-{t.decode()}.tar", f, ("a", t, 0))
make("good-python-long.tar", tarfile.PAX_FORMAT, ("\\u00e4" * 120, b"0", 1))
`;
  execFileSync("python3", ["-c", python], { cwd: folder });
});

test("archives of GNU tar, bsdtar and Python are read, and their links, devices, FIFOs and sparse files refused", async () => {
  const names = readdirSync(folder).filter((name) => name.endsWith(".tar"));
  expect(names.length).toBeGreaterThan(45);
  for (const name of names) {
    const found = await read(readFileSync(join(folder, name)));
    expect([name, typeof found]).toEqual([name, name.startsWith("good") ? "object" : "string"]);
  }
  expect(await read(readFileSync(join(folder, "good-gnu.tar")))).toContain("good/app/main.py 2");
});

const clean = (path: string): string => path.replace(/^(?:\.\/)+/, "");

const withChecksum = (bytes: Buffer, at: number): void => {
  bytes.write("        ", at + 148);
  const sum = bytes.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, at + 148);
};

test("of 1,000 damaged archives each is refused with a message, or holds what Python finds in it", async () => {
  const seeds = [
    tar({ name: "e/", type: "5" }, file("e/manifest.json"), file("e/app/main.py")),
    tar(pax("path=e/long", "mtime=1.5"), file("x"), { type: "L", body: `e/${"n".repeat(120)}\0` }, file("y")),
    tar({ name: "g", type: "g", body: record("comment=abc") }, { ...file("b"), prefix: "e" }, file("c")),
  ];
  const next = seeded(7).below;
  const taken: Array<readonly [name: string, found: ReadonlyArray<string>]> = [];
  for (let count = 0; count < 1_000; count++) {
    const bytes = Buffer.from(seeds[next(seeds.length)] as Buffer);
    const at = next(bytes.length / 512) * 512;
    for (let change = next(3); change >= 0; change--) {
      const place =
        [next(12), 100 + next(57), 124 + next(12), 156, 257 + next(8), 345 + next(4), 512 + next(40)][next(7)] ?? 0;
      if (at + place < bytes.length)
        bytes[at + place] = [0, 0x2e, 0x2f, 0x30, 0x35, 0x37, 0x80, 0xff, next(256)][next(9)] ?? 0;
    }
    // A checksum that fits lets the change through to what is behind it.
    if (next(10) > 0 && (bytes[at] ?? 0) > 0) withChecksum(bytes, at);
    const found = await read(next(2) === 0 ? bytes : gzipSync(bytes), { size: 1 + next(2_000) });
    if (typeof found === "string") continue;
    for (const path of found) expect(path).not.toMatch(/^\/|(?:^|\/)\.\.(?:\/|$)|\\/);
    const name = `fuzz-${count}`;
    writeFileSync(join(folder, name), bytes);
    taken.push([name, found]);
  }
  expect(taken.length).toBeGreaterThan(100);
  expect(taken.length).toBeLessThan(900);
  const python = `
import json, os, sys, tarfile
def listed(name):
    try:
        with tarfile.open(name) as t:
            return [m.name + "/" if m.isdir() else m.name + " " + str(m.size) if m.isreg() else m.name + " other" for m in t if m.name not in (".", "")]
    except Exception as e:
        return str(e)
print(json.dumps({n: listed(n) for n in sys.stdin.read().split()}))
`;
  const input = taken.map(([name]) => name).join(" ");
  const listed = JSON.parse(
    execFileSync("python3", ["-c", python], { cwd: folder, input, encoding: "utf8" }),
  ) as object;
  for (const [name, found] of taken) {
    const others = (listed as Record<string, ReadonlyArray<string> | string>)[name] ?? "";
    expect([name, Array.isArray(others) ? others.map(clean) : others]).toEqual([name, found]);
  }
});
