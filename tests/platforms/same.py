#!/usr/bin/env python3
"""One test for all platforms: the same texts through everything that is built here give the same bits of the embedding,
the same ids, and the same places in each one's own unit, turned into bytes of UTF-8.

    tests/platforms/same.py [CHECKPOINT]     default: KINGLET_MINILM, or tests/data/tiny/bert

The command line in build/ is what the others are compared with. What is not built is skipped, and said so: the arm64
packages under qemu-user (platforms/debian/build arm64), Python (build/python, see ./test), the npm package under node
(cmake --preset wasm), the Kotlin library on a JVM (platforms/android/build --layout).
"""

import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXTS = [
    "a gripping , beautifully acted film that stays with you long after the credits",
    "no",
    "",
    "naïve café, 東京 and 서울: 10 €, 🦜🦜 unaffable!",
    "e\u0301 👩‍👩‍👧 ﬁne\u00a0— “quotes” (#tags) 12:30",
    "word " * 300,
]

PYTHON = """
import json, sys, kinglet
model = kinglet.Model(sys.argv[1])
for text in json.load(open(sys.argv[2])):
    tokens = model.tokenize(text)
    print(json.dumps({"ids": tokens.ids, "offsets": tokens.offsets,
                      "embedding": [float(x) for x in model.encode(text)]}))
"""

NODE = """
import {readFileSync} from 'node:fs';
const {Model} = await import(process.argv[2]);
const model = await Model.open(process.argv[3]);
for (const text of JSON.parse(readFileSync(process.argv[4], 'utf8'))) {
  const {ids, offsets} = model.tokenize(text);
  console.log(JSON.stringify({ids: [...ids], offsets, embedding: [...model.embed(text)]}));
}
"""

JAVA = """
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import org.kinglet.*;
public class Same {
  public static void main(String[] arguments) throws Exception {
    try (KingletModel model = KingletModel.open(arguments[0]); KingletSession session = model.newSession()) {
      for (String hex : Files.readAllLines(Paths.get(arguments[1]))) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < hex.length(); i += 4) text.append((char) Integer.parseInt(hex.substring(i, i + 4), 16));
        StringJoiner ids = new StringJoiner(","), offsets = new StringJoiner(","), numbers = new StringJoiner(",");
        for (Token token : session.tokenize(text.toString()).getTokens()) {
          ids.add("" + token.getId());
          offsets.add(token.getBegin() < 0 ? "null" : "[" + token.getBegin() + "," + token.getEnd() + "]");
        }
        for (float number : session.embed(text.toString())) numbers.add("" + (double) number);
        System.out.println("{\\"ids\\":[" + ids + "],\\"offsets\\":[" + offsets + "],"
            + "\\"embedding\\":[" + numbers + "]}");
      }
    }
  }
}
"""


class Skip(Exception):
    """What is missing."""


def run(*command, **options):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: status {result.returncode}: {result.stderr}")
    return [json.loads(line) for line in result.stdout.splitlines() if line]


def command_line(cli, model, unit):
    lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
    embeddings = run(*cli, "embed", model, "--json", "--jsonl", input=lines)
    tokens = run(*cli, "tokenize", model, "--json", "--jsonl", "--offsets", unit, input=lines)
    return [{**a, "embedding": b["embedding"]} for a, b in zip(tokens, embeddings)]


def arm64(folder, model):
    packages = list((ROOT / "build-debian-arm64").glob("*.deb"))
    if not packages or not shutil.which("qemu-aarch64"):
        raise Skip("no packages in build-debian-arm64, or no qemu-aarch64")
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", package, folder / "arm64"], check=True)
    cli = ["env", "QEMU_CPU=max", "qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", folder / "arm64/usr/bin/kinglet"]
    return command_line(cli, model, "utf16")


def python(folder, model):
    interpreter = ROOT / "build/python/bin/python"
    if not interpreter.exists() or subprocess.run([interpreter, "-c", "import kinglet"], capture_output=True,
                                                  cwd=folder).returncode != 0:
        raise Skip("the package is not installed in build/python")
    return run(interpreter, "-c", PYTHON, model, folder / "texts.json", cwd=folder)


def node(folder, model):
    package = ROOT / "build-wasm/npm/kinglet.js"
    if not package.exists() or not shutil.which("node"):
        raise Skip("no package in build-wasm/npm, or no node")
    (folder / "same.mjs").write_text(NODE)
    return run("node", "--no-experimental-fetch", folder / "same.mjs", package, model, folder / "texts.json")


def jvm(folder, model):
    classes = ROOT / "build/android/maven/kinglet-android-0.1.0.jar"
    cache = pathlib.Path.home() / ".m2/repository"
    libraries = [next(cache.glob(pattern), None) for pattern in
                 ("org/jetbrains/kotlin/kotlin-stdlib/1.9.*/kotlin-stdlib-1.9.*[0-9].jar",
                  "com/google/android/android/4.1.1.4/android-4.1.1.4.jar")]
    if not classes.exists() or None in libraries or not shutil.which("javac"):
        raise Skip("no build/android/maven/kinglet-android-0.1.0.jar, or no JDK")
    (folder / "Same.java").write_text(JAVA)
    units = [text.encode("utf-16-be").hex() for text in TEXTS]
    (folder / "texts.hex").write_text("\n".join(units) + "\n")
    path = ":".join(map(str, [classes, *libraries, folder]))
    subprocess.run(["javac", "-cp", path, "-d", folder, folder / "Same.java"], check=True)
    return run("java", f"-Djava.library.path={ROOT / 'build'}", "-cp", path, "Same", model, folder / "texts.hex")


def to_bytes(text, place, unit):
    """A place in a text, in bytes of UTF-8."""
    if unit == "bytes":
        return place
    if unit == "codepoints":
        return len(text[:place].encode())
    return len(text.encode("utf-16-le")[:2 * place].decode("utf-16-le").encode())


def results(answers, unit):
    if len(answers) != len(TEXTS):
        sys.exit(f"{len(answers)} answers to {len(TEXTS)} texts")
    for text, answer in zip(TEXTS, answers):
        yield {
            "ids": answer["ids"],
            "offsets": [offset and [to_bytes(text, place, unit) for place in offset] for offset in answer["offsets"]],
            "bits": [struct.pack(">f", number).hex() for number in answer["embedding"]],
        }


def main():
    checkpoint = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("KINGLET_MINILM") or ROOT / "tests/data/tiny/bert"
    cli = ROOT / "build/kinglet"
    if not cli.exists():
        print("SKIPPED: one test for all platforms: there is no build/kinglet")
        return 77
    platforms = [("the command line for arm64", arm64, "utf16"), ("Python", python, "codepoints"),
                 ("WebAssembly under node", node, "utf16"), ("Kotlin on a JVM", jvm, "utf16")]
    same = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = folder / "model.kgl"
        subprocess.run([cli, "convert", checkpoint, "-o", model, "--task", "embed"], check=True, capture_output=True)
        (folder / "texts.json").write_text(json.dumps(TEXTS))
        expected = list(results(command_line([cli], model, "bytes"), "bytes"))
        for what, answers, unit in platforms:
            try:
                found = list(results(answers(folder, model), unit))
            except Skip as why:
                print(f"SKIPPED: the same bits: {what}: {why}")
                continue
            for text, here, there in zip(TEXTS, expected, found):
                for part in here:
                    if here[part] != there[part]:
                        sys.exit(f"{what}: {text[:60]!r}: {part}: {there[part]}\nthe command line: {here[part]}")
            same.append(what)
    numbers = sum(len(answer["bits"]) for answer in expected)
    places = sum(len(answer["offsets"]) for answer in expected)
    print(f"the same {numbers} numbers and {places} places of {len(TEXTS)} texts as the command line: "
          f"{', '.join(same) or 'nothing else is built'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
