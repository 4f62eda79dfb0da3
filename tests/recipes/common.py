"""What the recipes share: where things are, and the command that they measure.

Environment: KINGLET_CLI (default build/kinglet), KINGLET_SHARED (default ../shared: models and data), KINGLET_MINILM
(the checkpoint of all-MiniLM-L6-v2), KINGLET_RECIPES (where files are made and stay; default a temporary folder).
"""
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
KINGLET = pathlib.Path(os.environ.get("KINGLET_CLI", ROOT / "build/kinglet"))
SHARED = pathlib.Path(os.environ.get("KINGLET_SHARED", ROOT / "../shared"))
MINILM = pathlib.Path(os.environ.get("KINGLET_MINILM", SHARED / "models/all-MiniLM-L6-v2"))


def need(path, what):
    """Ends the recipe with exit code 77 where `path` is not there."""
    if not path.exists():
        print(f"SKIPPED: {pathlib.Path(sys.argv[0]).name}: {path} is missing: {what}")
        sys.exit(77)


def kinglet(*arguments, **options):
    """What the command says; ends the recipe when it fails."""
    command = [str(part) for part in (KINGLET, *arguments)]
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout


@contextlib.contextmanager
def workplace():
    """The folder for files."""
    with tempfile.TemporaryDirectory() as temporary:
        place = pathlib.Path(os.environ.get("KINGLET_RECIPES", temporary))
        place.mkdir(parents=True, exist_ok=True)
        yield place


class Goals:
    """Prints figures beside what they should be, and remembers which are missed."""

    def __init__(self):
        self.missed = []

    def check(self, what, figure, good):
        print(f"{what}: {figure}{'' if good else '   NOT REACHED'}", flush=True)
        if not good:
            self.missed.append(what)

    def end(self):
        if self.missed:
            print("NOT REACHED: " + "; ".join(self.missed))
        sys.exit(1 if self.missed else 0)
