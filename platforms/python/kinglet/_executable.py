"""Where the executable that comes with the package lies."""

import os


def path() -> str:
    return os.path.join(os.path.dirname(__file__), "kinglet")
