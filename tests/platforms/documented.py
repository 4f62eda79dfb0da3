#!/usr/bin/env python3
"""Every public name of every platform has documentation in that platform's own format; fails with the list of those
that have none. Python: docstrings, and a string below a field. Kotlin: KDoc, and @property for what a data class is made
of. Swift: ///. TypeScript: /** */.

    tests/platforms/documented.py

Declarations are found by how this project writes them (one a line, `public` spelt out in Kotlin and Swift). Each
scanner first shows on a sample that it sees a name without documentation."""

import ast
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def python(text, wanted=None):
    """Undocumented names and the number of all, of the top level's `wanted` (None: all without an underscore)."""
    missing, count = [], 0

    def public(name):
        return not name.startswith("_")

    def look(body, prefix, own):
        nonlocal count
        for i, node in enumerate(body):
            below = body[i + 1] if i + 1 < len(body) else None
            said = isinstance(below, ast.Expr) and isinstance(getattr(below.value, "value", None), str)
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                name = node.name
                if not own(name) or any(getattr(d, "id", "") == "overload" for d in node.decorator_list):
                    continue
                said = ast.get_docstring(node) is not None
                if isinstance(node, ast.ClassDef):
                    look(node.body, f"{prefix}{name}.", public)
            elif isinstance(node, ast.AnnAssign) and own(node.target.id):
                name = node.target.id
            elif isinstance(node, ast.Assign) and own(getattr(node.targets[0], "id", "_")):
                name = node.targets[0].id
            else:
                continue
            count += 1
            if not said:
                missing.append(f"{prefix}{name}")

    look(ast.parse(text).body, "", public if wanted is None else wanted.__contains__)
    return missing, count


def before(lines, index, skip):
    """The line above a declaration, beyond those that match `skip` (annotations)."""
    index -= 1
    while index >= 0 and re.match(skip, lines[index]):
        index -= 1
    return lines[index].strip() if index >= 0 else ""


def kotlin(text):
    missing, count, lines = [], 0, text.split("\n")
    kinds = r"(?:const |data |enum |suspend |inline )*(?:fun|val|var|class|object|interface)"
    enum = 0  # 1: in the entries of a public enum
    for i, line in enumerate(lines):
        if found := re.match(rf" *public {kinds} (?:<[^>]*> )?(?:\w+\.)?(\w+)|( *)public companion object", line):
            name = found[1] or "companion"
            if found[2] is None:
                count += 1
                if not before(lines, i, r" *@").endswith("*/"):
                    missing.append(name)
            enum = 1 if re.match(r" *public enum class", line) else 0
            if line.startswith("public data class"):
                head = text[text.index(line):].split("\n)" if line.endswith("(") else "\n")[0]
                parameters = re.findall(r"\bval (\w+):", head)
                comment = text[:text.index(line)].rstrip().rsplit("/**", 1)[-1]
                for parameter in parameters:
                    count += 1
                    if f"@property {parameter} " not in comment:
                        missing.append(f"{name}.{parameter}")
        elif enum and re.match(r"    [A-Z_]+(\(.*\))?[,;]", line):
            count += 1
            if not before(lines, i, r" *@").endswith("*/"):
                missing.append(line.strip(" ,;"))
        elif line.startswith("}"):
            enum = 0
    return missing, count


def swift(text):
    missing, count, enum, lines = [], 0, None, text.split("\n")  # enum: what a public one is indented by, while in it
    for i, line in enumerate(lines):
        if enum is not None and line == enum + "}":
            enum = None
        if found := re.match(r"( *)public (?:convenience |final |static )*(\w+) ?(\w*)", line):
            name = found[3] or found[2]
            if found[2] == "enum":
                enum = found[1]
        elif enum is not None and (found := re.match(enum + r"    case (\w+)", line)):
            name = found[1]
        else:
            continue
        count += 1
        if not before(lines, i, r" *@").startswith("///"):
            missing.append(name)
    return missing, count


def typescript(text):
    missing, count, open_, lines = [], 0, False, text.split("\n")
    documented = set()
    for i, line in enumerate(lines):
        name = None
        if found := re.match(r"export (?:declare )?(?:interface|class|function|type) (\w+)", line):
            name = found[1]
            open_ = line.endswith("{")
        elif line.startswith("}"):
            open_ = False
        elif open_ and (found := re.match(r"  (?:readonly |static )*(\w+)\??[(:]", line)):
            name = found[1]
        if name is None or name in ("private", "constructor"):
            continue
        key = (name, open_)
        if before(lines, i, r" *@").endswith("*/"):
            documented.add(key)
        elif key in documented and "(" in line and before(lines, i, r"^$").startswith(name):
            continue  # an overload
        else:
            missing.append(name)
        count += 1
    return missing, count


SAMPLES = {
    python: 'class A:\n    """Said."""\n    x: int\n    """Said."""\n    y: int\n    def f(self): ...\n',
    kotlin: "/**\n * @property x said.\n */\npublic data class A(val x: Int, val y: Int)\npublic fun f() {}\n",
    swift: "/// Said.\npublic struct A {\n    public let y: Int\n    @inlinable\n    public func f() {}\n}\n",
    typescript: "/** Said. */\nexport interface A {\n  /** Said. */\n  x: number;\n  y: number;\n  f(): void;\n}\n",
}


def main():
    for scanner, sample in SAMPLES.items():
        found = [name.split(".")[-1] for name in scanner(sample)[0]]
        if found != ["y", "f"]:
            sys.exit(f"{scanner.__name__}: saw {found} in the sample, expected y and f")

    package = ROOT / "platforms/python/kinglet"
    exported = next(ast.literal_eval(node.value) for node in ast.parse((package / "__init__.py").read_text()).body
                    if isinstance(node, ast.Assign) and node.targets[0].id == "__all__")
    # Error, isa and version of the native module are exported; its Model is not.
    wanted = {"_model.py": exported, "_convert.py": exported, "_native.pyi": set(exported) - {"Model"}}
    files = {"Python": [(package / name, lambda text, own=own: python(text, own)) for name, own in wanted.items()]}
    sources = ROOT / "platforms/android/src/main/kotlin/org/kinglet"
    files["Kotlin"] = [(path, kotlin) for path in sorted(sources.glob("*.kt"))]
    files["Swift"] = [(path, swift) for path in sorted((ROOT / "platforms/apple/Sources/Kinglet").glob("*.swift"))]
    files["TypeScript"] = [(ROOT / "platforms/wasm/npm/kinglet.d.ts", typescript)]

    problems, counts = [], []
    for language, scans in files.items():
        total = 0
        for path, scan in scans:
            missing, count = scan(path.read_text(encoding="utf-8"))
            total += count
            problems += [f"{path.relative_to(ROOT)}: {name}" for name in missing]
        if total < len(exported):
            problems.append(f"{language}: only {total} public names were found")
        counts.append(f"{language} {total}")
    if problems:
        print("without documentation:", *problems, sep="\n  ")
        return 1
    print(f"documented: {', '.join(counts)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
