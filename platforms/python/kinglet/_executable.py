"""Where the executable that comes with the package lies."""

from importlib import resources


def path() -> str:
    return str(resources.files(__package__).joinpath("kinglet"))
