"""What the tests of the command line share: running the executable, checkpoints, models converted once per file."""

import atexit
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

DATA = Path(os.environ["KINGLET_TEST_DATA"])
SHARED = Path(os.environ.get("KINGLET_SHARED") or DATA.parent.parent.parent / "shared")
SKIPPED = 77

folder = Path(tempfile.mkdtemp(prefix="kinglet-cli-"))
atexit.register(shutil.rmtree, folder, ignore_errors=True)
converted = {}


def find_kinglet():
    """The executable; under an emulator (KINGLET_EMULATOR, a command) a script that starts it."""
    executable, emulator = os.environ["KINGLET_CLI"], os.environ.get("KINGLET_EMULATOR")
    if not emulator:
        return executable
    script = folder / "kinglet"
    script.write_text(f'#!/bin/sh\nexec {emulator} {shlex.quote(executable)} "$@"\n')
    script.chmod(0o755)
    return str(script)


KINGLET = find_kinglet()


def run(*arguments, stdin=b"", env=None, timeout=120):
    """Runs kinglet; returns (exit code, standard output, standard error) with text decoded."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    full = dict(os.environ, **(env or {}))
    done = subprocess.run([KINGLET, *map(os.fsencode, arguments)], input=stdin, capture_output=True, env=full,
                          timeout=timeout)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def checkpoint(name):
    """A tiny checkpoint by name: from tests/data, or from the shared folder; skips the test without either."""
    for root in (DATA / "tiny", SHARED / "models" / "tiny"):
        if (root / name / "config.json").exists():
            return root / name
    print(f"SKIPPED: command line tests on tiny/{name}: the checkpoint is neither in tests/data nor in KINGLET_SHARED",
          flush=True)
    raise unittest.SkipTest(f"no checkpoint {name}")


def model(name, *options):
    """The path of a converted tiny checkpoint."""
    key = (name, *options)
    if key not in converted:
        path = folder / f"{'-'.join(key).replace('/', '_')}.kgl"
        code, _, errors = run("convert", checkpoint(name), "-o", path, *options)
        if code != 0:
            raise AssertionError(f"convert {name}: {errors}")
        converted[key] = path
    return converted[key]


def expected(name):
    """The recorded outputs of a tiny checkpoint."""
    return json.loads((checkpoint(name) / "expected.json").read_text())["cases"]


class TestCase(unittest.TestCase):
    maxDiff = 2000

    def good(self, *arguments, **options):
        """Runs kinglet, which must succeed in silence; returns standard output."""
        code, out, errors = run(*arguments, **options)
        self.assertEqual((code, errors), (0, ""), arguments)
        return out

    def objects(self, *arguments, **options):
        """Runs kinglet, which must succeed; returns its output lines as JSON."""
        return [json.loads(line) for line in self.good(*arguments, **options).splitlines()]

    def fails(self, code, *arguments, says=(), **options):
        """Runs kinglet, which must fail with `code` and one line on standard error that contains all of `says`."""
        actual, out, errors = run(*arguments, **options)
        self.assertEqual(actual, code, (arguments, errors))
        self.assertEqual(errors.count("\n"), 1, errors)
        self.assertTrue(errors.startswith("kinglet: "), errors)
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, errors)
        return out

    def close(self, actual, wanted, tolerance):
        """Two lists of numbers agree within `tolerance` times the largest."""
        self.assertEqual(len(actual), len(wanted))
        limit = tolerance * max([1.0, *map(abs, wanted)])
        worst = max((abs(a - w) for a, w in zip(actual, wanted)), default=0.0)
        self.assertLessEqual(worst, limit)


def main():
    """Runs the calling file's tests; exit code 77 when all of them were skipped."""
    program = unittest.main(module="__main__", exit=False, verbosity=1)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.testsRun == 0 or len(result.skipped) == result.testsRun:
        print("SKIPPED: every test of this file")
        sys.exit(SKIPPED)
