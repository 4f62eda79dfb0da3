#!/usr/bin/env python3
"""Asks Hugging Face `tokenizers` 0.22.2 what it does with every code point, and writes unicode_tables.inc.

The Unicode tables inside `tokenizers` belong to several Unicode versions (those of the Rust standard library, of the
regex crate, of unicode_categories and of unicode-normalization-alignments), so no single version of the standard
describes them. This script observes them through the public API, one property at a time:

    python3 probe_unicode.py [output]      # needs: pip install tokenizers==0.22.2

It also checks that what it observed is context-free, which is what the compiler of the tables (charmap.cc) builds on.
"""

import sys
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

EXPECTED = "0.22.2"
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
HANGUL = range(0xAC00, 0xAC00 + 11172)


def bert(clean=False, chinese=False, strip=False, lower=False):
    return normalizers.BertNormalizer(
        clean_text=clean, handle_chinese_chars=chinese, strip_accents=strip, lowercase=lower
    )


def ranges(points):
    """Sorted code points → [first, last] ranges; surrogates between two members count as members."""
    out = []
    for c in points:
        if out and (c == out[-1][1] + 1 or (out[-1][1] == 0xD7FF and c == 0xE000)):
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def matcher(**options):
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.add_tokens([AddedToken("QQ", normalized=False, **options)])
    return tokenizer


def probe_class(decomposed):
    """Canonical combining classes, by the order in which NFD puts two marks."""
    nfd = normalizers.NFD()
    # One representative of every class that Python's own tables know; a class that only `tokenizers` knew would show
    # as a mark that fits between two representatives, which is checked below.
    import unicodedata

    representatives = {}
    for c in CODE_POINTS:
        k = unicodedata.combining(chr(c))
        if k and k not in representatives and chr(c) == decomposed[c]:
            ordered = nfd.normalize_str("a" + chr(c) + "\u0334") == "a\u0334" + chr(c)
            if ordered or k == 1:
                representatives[k] = chr(c)
    classes = {}
    for c in CODE_POINTS:
        s = chr(c)
        if decomposed[c] != s:
            continue
        above = nfd.normalize_str("a" + s + "\u0334") != "a" + s + "\u0334"  # over 1
        below = nfd.normalize_str("a\u0345" + s) != "a\u0345" + s  # under 240
        if not above and not below and c not in (0x334, 0x345):
            continue
        found = []
        for k, r in sorted(representatives.items()):
            if nfd.normalize_str("a" + s + r) == "a" + s + r and nfd.normalize_str("a" + r + s) == "a" + r + s:
                found.append(k)
        assert len(found) == 1, (hex(c), found)
        classes[c] = found[0]
    return classes


def main():
    assert tokenizers.__version__ == EXPECTED, f"tokenizers {EXPECTED} is needed, not {tokenizers.__version__}"
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("unicode_tables.inc")

    clean, chinese, strip, lower = bert(clean=True), bert(chinese=True), bert(strip=True), bert(lower=True)
    nfd = normalizers.NFD()
    splitter = pre_tokenizers.BertPreTokenizer()

    removed, to_space, han, marks, space, punctuation = [], [], [], [], [], []
    lowered, decomposed = {}, {}
    for c in CODE_POINTS:
        s = chr(c)
        t = clean.normalize_str(s)
        if t == "":
            removed.append(c)
        elif t != s:
            assert t == " ", hex(c)
            to_space.append(c)
        elif c == 0x20:
            to_space.append(c)
        t = chinese.normalize_str(s)
        if t != s:
            assert t == " " + s + " ", hex(c)
            han.append(c)
        decomposed[c] = nfd.normalize_str(s)
        if decomposed[c] == s:
            t = strip.normalize_str(s)
            if t == "":
                marks.append(c)
            else:
                assert t == s, hex(c)
        t = lower.normalize_str(s)
        if t != s:
            lowered[c] = t
        pieces = [p for p, _ in splitter.pre_tokenize_str("a" + s + "b")]
        if pieces == ["a", "b"]:
            space.append(c)
        elif pieces == ["a", s, "b"]:
            punctuation.append(c)
        else:
            assert pieces == ["a" + s + "b"], hex(c)

    # What is decomposed is decomposed fully, and stripping is decomposition followed by the removal of marks.
    mark_set = set(marks)
    for c in CODE_POINTS:
        assert all(decomposed[ord(d)] == d for d in decomposed[c]), hex(c)
        assert strip.normalize_str(chr(c)) == "".join(d for d in decomposed[c] if ord(d) not in mark_set), hex(c)
    for i, c in enumerate(HANGUL):
        jamo = chr(0x1100 + i // 588) + chr(0x1161 + i % 588 // 28) + (chr(0x11A7 + i % 28) if i % 28 else "")
        assert decomposed[c] == jamo, hex(c)
    # Lower case does not look at the neighbours (no final sigma).
    for c, t in lowered.items():
        assert lower.normalize_str("a" + chr(c) + "b") == "a" + t + "b" and lower.normalize_str("a" + chr(c)) == "a" + t
    classes = probe_class(decomposed)

    single, left, right = matcher(single_word=True), matcher(lstrip=True), matcher(rstrip=True)
    word, regex_space = [], []
    for c in CODE_POINTS:
        s = chr(c)
        before = 1 not in single.encode(s + "QQ").ids
        after = 1 not in single.encode("QQ" + s).ids
        assert before == after, hex(c)
        if before:
            word.append(c)
        eaten = left.encode("a" + s + "QQ").offsets[-1] == (1, 4)
        assert eaten == (right.encode("QQ" + s + "a").offsets[0] == (0, 3)), hex(c)
        if eaten:
            regex_space.append(c)
    assert regex_space == space, "the regex and the standard library differ in what a space is"

    def write_ranges(f, name, what, points):
        f.write(f"// {what}\ninline constexpr Range {name}[] = {{\n")
        line = "   "
        for first, last in ranges(points):
            item = f" {{0x{first:X}, 0x{last:X}}},"
            if len(line) + len(item) > 118:
                f.write(line + "\n")
                line = "   "
            line += item
        f.write(line + "\n};\n\n")

    def write_pairs(f, name, what, mapping):
        # Each string is written as its length and its code points.
        f.write(f"// {what}\ninline constexpr uint32_t {name}[] = {{\n")
        line = "   "
        for c, t in sorted(mapping.items()):
            item = f" 0x{c:X}, {len(t)}," + "".join(f" 0x{ord(d):X}," for d in t)
            if len(line) + len(item) > 118:
                f.write(line + "\n")
                line = "   "
            line += item
        f.write(line + "\n};\n\n")

    with open(output, "w", encoding="ascii") as f:
        f.write("// GENERATED by probe_unicode.py from tokenizers " + EXPECTED + ". Do not edit.\n")
        f.write("// clang-format off\n\n")
        write_ranges(f, "kRemoved", "What clean_text removes.", removed)
        write_ranges(f, "kToSpace", "What clean_text turns into U+0020.", to_space)
        write_ranges(f, "kChinese", "What handle_chinese_chars puts between spaces.", han)
        write_ranges(f, "kMarks", "What strip_accents removes after NFD.", marks)
        write_ranges(f, "kSpace", "White space: where words are split and what lstrip and rstrip eat.", space)
        write_ranges(f, "kPunctuation", "What BertPreTokenizer isolates.", punctuation)
        write_ranges(f, "kWord", "The word characters of single_word.", word)
        write_pairs(f, "kLower", "Lower case: code point, length, code points.", lowered)
        write_pairs(
            f, "kDecomposition", "Full canonical decompositions but Hangul: code point, length, code points.",
            {c: t for c, t in decomposed.items() if t != chr(c) and c not in HANGUL},
        )
        f.write("// Canonical combining classes other than 0.\ninline constexpr ClassRange kCombiningClass[] = {\n")
        line, items = "   ", []
        for c, k in sorted(classes.items()):
            if items and items[-1][1] == c - 1 and items[-1][2] == k:
                items[-1][1] = c
            else:
                items.append([c, c, k])
        for first, last, k in items:
            item = f" {{0x{first:X}, 0x{last:X}, {k}}},"
            if len(line) + len(item) > 118:
                f.write(line + "\n")
                line = "   "
            line += item
        f.write(line + "\n};\n")
    kept = [c for c in classes if c not in mark_set]
    print(f"{output}: {len(removed)} removed, {len(marks)} marks, {len(lowered)} lowered, {len(classes)} with a class, "
          f"{len(kept)} of them kept by strip_accents: {[hex(c) for c in kept]}")


if __name__ == "__main__":
    main()
