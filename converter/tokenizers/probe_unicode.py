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


def set_of(points, cache={}):
    key = id(points)
    if key not in cache:
        cache[key] = set(points)
    return cache[key]


def matching(pattern):
    splitter = pre_tokenizers.Split(tokenizers.Regex(pattern), "removed")
    return [c for c in CODE_POINTS if not splitter.pre_tokenize_str(chr(c))]


def probe_compositions(decomposed, nfc):
    """Pairs that NFC composes, from the full decompositions: the last character joins what the others make."""
    pairs = {}
    for c in CODE_POINTS:
        parts = decomposed[c]
        if len(parts) < 2 or c in HANGUL or nfc.normalize_str(chr(c)) != chr(c):
            continue
        first = nfc.normalize_str(parts[:-1])
        assert len(first) == 1 and nfc.normalize_str(first + parts[-1]) == chr(c), hex(c)
        pairs[ord(first), ord(parts[-1])] = c
    # No pair is missed: what starts a pair and what ends one, each with all of the others (but for those that canonical
    # order changes).
    firsts, seconds = {a for a, b in pairs}, {b for a, b in pairs}
    for a in firsts:
        for b in seconds:
            composed = nfc.normalize_str(chr(a) + chr(b))
            assert (len(composed) == 1) == ((a, b) in pairs) or len(decomposed[a]) > 1, (hex(a), hex(b))
    return sorted((a, b, c) for (a, b), c in pairs.items())


def charsmap(key):
    """A Precompiled that maps `key` to Q: a double array of Darts-clone with a block of 256 units for every byte."""
    trie = bytearray(4 * 256 * (len(key) + 2))
    put = lambda unit, value: trie.__setitem__(slice(4 * unit, 4 * unit + 4), value.to_bytes(4, "little"))
    put(0, 256 << 10)
    for i, byte in enumerate(key):
        unit, child = 256 * (i + 1) ^ byte, 256 * (i + 2)
        put(unit, (unit ^ child) << 10 | (i + 1 == len(key)) << 8 | byte)
    put(256 * (len(key) + 1), 1 << 31)
    return normalizers.Precompiled(len(trie).to_bytes(4, "little") + bytes(trie) + b"Q\0")


def probe_graphemes():
    """Where grapheme clusters of less than 6 bytes end: Precompiled replaces those as a whole. Only what shows there is
    asked for: regional indicators and conjuncts are always longer."""
    joined = lambda m, text: m.normalize_str(text) == "Q"
    x = charsmap(b"x")
    extend = [c for c in CODE_POINTS if joined(x, "x" + chr(c))]
    marks = charsmap("\u0301".encode())
    prepend, control = [], []
    for c in CODE_POINTS:
        key = charsmap(chr(c).encode())
        if joined(key, chr(c) + "x"):
            prepend.append(c)
        # Behind four bytes, marks are a cluster of less than 6 only where the character stands alone.
        if c < 0x10000:
            alone = not joined(key, chr(c) + "\u0301")
        else:
            alone = marks.normalize_str(chr(c) + "\u0301\u0302") == chr(c) + "Q"
        if alone:
            control.append(c)
    assert 0x600 in prepend and joined(charsmap(b"\r"), "\r\n")
    sign = charsmap("\u00a9".encode())
    picture = [c for c in CODE_POINTS if c not in set_of(extend) and
               sign.normalize_str("\u00a9\u200d" + chr(c)) != "Q" + chr(c)]
    number = charsmap("\u0600".encode())

    def after(jamo):
        return [c for c in CODE_POINTS if c != 0x600 and c not in set_of(extend) and
                number.normalize_str("\u0600" + jamo + chr(c)) != "Q" + chr(c)]

    trailing = after("\uac01")
    vowel = [c for c in after("\uac00") if c not in set_of(trailing)]
    assert after("\u1160") == after("\uac00") and after("\u11a8") == trailing
    leading = [c for c in after("\u1100") if c not in set_of(vowel)]
    assert set(HANGUL) <= set(leading) and not set(leading) & set(trailing)
    # Within longer clusters every character is mapped by itself, which shows at a mark behind the last one.
    ka, link = "\u0915", "\u094d"
    map_ka = charsmap(ka.encode())
    apart = lambda m, text: not m.normalize_str(text).endswith("Q")
    wide = [c for c in CODE_POINTS if 0x800 <= c < 0x10000 and c not in set_of(extend) and c not in set_of(control)]
    consonant = [c for c in wide if apart(charsmap(chr(c).encode()), ka + link + chr(c) + "\u0301")]
    assert consonant == [c for c in CODE_POINTS if c not in set_of(extend) and
                         apart(map_ka, chr(c) + link + ka + "\u0301") and c not in set_of(prepend)]
    linker = [c for c in extend if apart(map_ka, ka + chr(c) + ka + "\u0301")]
    in_conjunct = [c for c in extend if apart(map_ka, ka + link + chr(c) + ka + "\u0301")]
    in_picture = [c for c in extend if apart(sign, "\u231a" + chr(c) + "\u200d\u00a9\u0301")]
    return {
        "kLinker": ("Grapheme clusters: what links consonants.", linker),
        "kInConjunct": ("Grapheme clusters: what may stand between a linker and a consonant.", in_conjunct),
        "kInPicture": ("Grapheme clusters: what may stand between a pictograph and a ZWJ.", in_picture),
        "kConsonant": ("Grapheme clusters: consonants that link.", consonant),
        "kExtend": ("Grapheme clusters: what continues one (Extend, SpacingMark, ZWJ).", extend),
        "kPrepend": ("Grapheme clusters: what joins the next character.", prepend),
        "kControl": ("Grapheme clusters: what stands alone.", control),
        "kPicture": ("Grapheme clusters: what joins a pictograph behind a ZWJ.", picture),
        "kLeading": ("Grapheme clusters: Hangul L.", [c for c in leading if c not in HANGUL]),
        "kVowel": ("Grapheme clusters: Hangul V.", vowel),
        "kTrailing": ("Grapheme clusters: Hangul T.", trailing),
    }


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

    # What the tokenizers other than WordPiece need.
    nfkd, nfc, accents = normalizers.NFKD(), normalizers.NFC(), normalizers.StripAccents()
    compatible = {c: nfkd.normalize_str(chr(c)) for c in CODE_POINTS}
    combining = [c for c in CODE_POINTS if accents.normalize_str(chr(c)) == ""]
    for c in CODE_POINTS:
        assert all(compatible[ord(d)] == d for d in compatible[c]), hex(c)
        assert c not in HANGUL or compatible[c] == decomposed[c], hex(c)
    strip, lowercase = normalizers.Strip(), normalizers.Lowercase()
    for c in CODE_POINTS:
        assert (strip.normalize_str("a" + chr(c)) == "a") == (c in set_of(space)), hex(c)
        assert lowercase.normalize_str(chr(c)) == lowered.get(c, chr(c)), hex(c)
    compositions = probe_compositions(decomposed, nfc)
    letters, numbers, onig_space = (matching(p) for p in (r"\p{L}", r"\p{N}", r"\s"))
    graphemes = probe_graphemes()

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
        write_pairs(
            f, "kCompatibility", "Full compatibility decompositions that are not the canonical ones.",
            {c: t for c, t in compatible.items() if t != decomposed[c]},
        )
        write_ranges(f, "kCombining", "What StripAccents removes.", combining)
        write_ranges(f, "kLetter", "Oniguruma's \\p{L}.", letters)
        write_ranges(f, "kNumber", "Oniguruma's \\p{N}.", numbers)
        write_ranges(f, "kOnigSpace", "Oniguruma's \\s.", onig_space)
        for name, (what, points) in graphemes.items():
            write_ranges(f, name, what, points)
        f.write("// Primary composites but Hangul: first, second, composite.\n")
        f.write("inline constexpr uint32_t kComposition[] = {\n")
        line = "   "
        for first, second, c in compositions:
            item = f" 0x{first:X}, 0x{second:X}, 0x{c:X},"
            if len(line) + len(item) > 118:
                f.write(line + "\n")
                line = "   "
            line += item
        f.write(line + "\n};\n\n")
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
