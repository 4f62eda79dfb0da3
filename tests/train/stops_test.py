"""Runs that end early: killed at any moment and resumed with the same weights to the bit, stopped, without room.

KINGLET_KILLS=N kills N runs many times each instead of one (slow).
"""

import os
import random
import resource
import signal
import subprocess
import time
import unittest

import training  # noqa: F401  (finds support)
from support import KINGLET, TestCase
from training import TINY, finetune, folder, weights, write_labelled

SEED = int(os.environ.get("KINGLET_SEED", time.time_ns() % 100000))


def command(output, epochs=3, batch=8, data="train.tsv"):
    return [KINGLET, "finetune", TINY / "bert-seqcls", "--data", folder / data, "--dev", folder / "dev.tsv", "-o",
            output, "--threads", "1", "--epochs", str(epochs), "--batch", str(batch), "--evaluations", "2",
            "--checkpoint-steps", "2"]


def setUpModule():
    write_labelled(folder / "train.tsv", 160, 1)
    write_labelled(folder / "dev.tsv", 24, 2)


class Stops(TestCase):
    def test_killed_at_any_moment(self):
        start = time.monotonic()
        subprocess.run(command(folder / "whole"), check=True, capture_output=True)
        took = time.monotonic() - start
        expected = weights(folder / "whole")
        rng = random.Random(SEED)
        for run in range(int(os.environ.get("KINGLET_KILLS", "1"))):
            output, kills = folder / f"killed{run}", 0
            while True:
                process = subprocess.Popen(command(output), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                # A third of the time at most, so that a run is killed again and again; then it may finish.
                patience = rng.uniform(0, took * 0.5) if kills < 4 else 100
                try:
                    _, errors = process.communicate(timeout=patience)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.communicate()
                    kills += 1
                    # Half an output is never seen.
                    self.assertTrue(not output.exists() or weights(output) == expected, f"seed {SEED}")
                    continue
                self.assertEqual(process.returncode, 0, errors)
                break
            self.assertEqual(weights(output), expected, f"seed {SEED}, {kills} kills")
            leftovers = [path.name for path in folder.iterdir() if path.name.startswith(".kinglet-")]
            self.assertEqual(leftovers, [], f"seed {SEED}")

    def test_stopped_politely(self):
        process = subprocess.Popen(command(folder / "stopped", epochs=1000), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            if "the best so far" in line:
                break
        process.send_signal(signal.SIGTERM)
        errors = process.communicate()[1]
        self.assertEqual(process.returncode, 1)
        self.assertIn("the same command goes on from there", errors)
        code, _, errors = finetune(TINY / "bert-seqcls", folder / "train.tsv", folder / "stopped")
        self.assertEqual(code, 1)
        self.assertIn("--fresh", errors)
        self.assertIn("epochs", errors)
        self.assertFalse((folder / "stopped").exists())

    def test_disk_full(self):
        def limited():
            resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, 900_000))

        done = subprocess.run(command(folder / "full"), capture_output=True, text=True, preexec_fn=limited)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("cannot be written", done.stderr.splitlines()[-1])
        self.assertFalse((folder / "full").exists())
        # With room again the same command carries on.
        subprocess.run(command(folder / "full"), check=True, capture_output=True)
        self.assertEqual(weights(folder / "full"), weights(folder / "whole") if (folder / "whole").exists() else
                         weights(folder / "full"))

    def test_out_of_memory(self):
        write_labelled(folder / "long.tsv", 4000, 3)
        def limited():
            resource.setrlimit(resource.RLIMIT_AS, (1_200_000_000, 1_200_000_000))

        done = subprocess.run(command(folder / "memory", 1, 4000, "long.tsv"), capture_output=True, text=True,
                              preexec_fn=limited)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("--batch", done.stderr.splitlines()[-1])
        self.assertFalse((folder / "memory").exists())


if __name__ == "__main__":
    unittest.main()
