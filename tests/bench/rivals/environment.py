"""A virtual environment for a script."""

import os
import subprocess
import sys


def enter_environment(work, packages):
    """Runs this script again inside the environment in `work`; where there is none, it is made, with the packages."""
    python = work / "venv" / "bin" / "python"
    if python.exists() and os.path.samefile(sys.prefix, work / "venv"):
        return
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", work / "venv"], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages], check=True)
    os.execv(python, [str(python), *sys.argv])
