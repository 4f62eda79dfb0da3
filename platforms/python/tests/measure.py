#!/usr/bin/env python3
"""Figures of the Python package: what a call costs over the C API (MiniLM, 8 tokens), and memory over 10,000 cycles
of opening, running and closing.

    build/python/bin/python platforms/python/tests/measure.py MINILM.kgl SMALL.kgl [LIBRARY]

The interpreter has the package (./test makes build/python). SMALL: any embedding model, opened again and again.
LIBRARY: default build/libkinglet.so. Calls of the package and of the library (by ctypes, with everything prepared: about 1 µs of
its own) take turns; times are of the thread's processor, so that other load on the machine counts little."""

import ctypes
import gc
import pathlib
import sys
import time

import kinglet
import numpy as np

TEXT = "a small bird sings to us"
CALLS, CYCLES = 3000, 10_000


class Input(ctypes.Structure):
    _fields_ = [("text", ctypes.c_char_p), ("text_length", ctypes.c_size_t), ("pair", ctypes.c_char_p),
                ("pair_length", ctypes.c_size_t), ("ids", ctypes.c_void_p), ("type_ids", ctypes.c_void_p),
                ("id_count", ctypes.c_size_t)]


def call_cost(path, library):
    c = ctypes.CDLL(str(library))
    handle, session = ctypes.c_void_p(), ctypes.c_void_p()
    if c.kinglet_model_open_path(path.encode(), ctypes.byref(handle)) != 0 or \
            c.kinglet_session_create(handle, None, ctypes.byref(session)) != 0:
        sys.exit(f"{path}: {library} cannot open it")
    text = TEXT.encode()
    item, one, vector = Input(text, len(text)), ctypes.c_size_t(1), np.empty(384, np.float32)
    embed, place, out = c.kinglet_embed, ctypes.byref(item), ctypes.c_void_p(vector.ctypes.data)
    model = kinglet.Model(path)
    if model.dimension != vector.size:
        sys.exit(f"{path}: embeddings of {model.dimension} numbers, expected MiniLM's {vector.size}")
    here, there = [], []
    for _ in range(CALLS):
        begin = time.thread_time_ns()
        status = embed(session, place, one, out, None)
        middle = time.thread_time_ns()
        result = model.encode(TEXT)
        end = time.thread_time_ns()
        there.append(middle - begin)
        here.append(end - middle)
    if status != 0 or not np.array_equal(result, vector):
        sys.exit("the package and the library differ")
    over = sorted(a - b for a, b in zip(here, there))[CALLS // 2] / 1000
    print(f"call: {len(model.tokenize(TEXT).ids)} tokens, {kinglet.isa()}: Python least {min(here) / 1000:.1f} us, "
          f"C least {min(there) / 1000:.1f} us; median of the differences {over:.1f} us")


def resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4


def cycles(path):
    def cycle(count):
        for _ in range(count):
            with kinglet.Model(path) as model:
                model.encode("a b c")
            try:
                kinglet.Model("no-such-file.kgl")
            except kinglet.Error:
                pass
        gc.collect()

    cycle(CYCLES // 10)
    before = resident()
    cycle(CYCLES)
    print(f"memory: {CYCLES} open-run-close cycles, grown by {resident() - before} KB of {before} KB")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    call_cost(sys.argv[1], sys.argv[3] if len(sys.argv) == 4 else pathlib.Path("build/libkinglet.so").resolve())
    cycles(sys.argv[2])
