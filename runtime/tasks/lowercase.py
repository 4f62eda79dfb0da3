#!/usr/bin/env python3
"""Writes lowercase.inc: Python's str.lower() of single characters, as ranges of code points.

The question-answering pipeline counts answers as one whose str.lower() is equal. Run it anew, if ever, with the Python
that is to be equalled: lowercase.py > lowercase.inc"""

import sys
import unicodedata


def main():
    pairs = [(c, ord(chr(c).lower())) for c in range(128, sys.maxunicode + 1)
             if len(chr(c).lower()) == 1 and chr(c).lower() != chr(c)]
    ranges = []  # first, last, step, difference
    for c, lower in pairs:
        if ranges and ranges[-1][3] == lower - c:
            first, last, step, difference = ranges[-1]
            if c - last == step or (first == last and c - last <= 2):
                ranges[-1] = (first, c, c - last, difference)
                continue
        ranges.append((c, c, 1, lower - c))
    print(f"// Written by lowercase.py with Unicode {unicodedata.unidata_version}: first, last, step, what to add.")
    for entry in ranges:
        print("{{0x{:x}, 0x{:x}, {}, {}}},".format(*entry))


main()
