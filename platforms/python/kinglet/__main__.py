"""The command line of kinglet: `kinglet …` or `python -m kinglet …`."""

import os
import sys

from ._executable import path


def main() -> None:
    os.execv(path(), ["kinglet", *sys.argv[1:]])


if __name__ == "__main__":
    main()
