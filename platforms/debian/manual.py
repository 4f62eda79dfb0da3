#!/usr/bin/env python3
"""Writes platforms/debian/kinglet.1 from what `kinglet --help` and `kinglet COMMAND --help` print.

    platforms/debian/manual.py build/kinglet            writes the page
    platforms/debian/manual.py build/kinglet --check    exit status 1 when the page is not what the help says

The page is committed, because a cross build cannot run the executable.
"""
import pathlib
import re
import subprocess
import sys

PAGE = pathlib.Path(__file__).with_name("kinglet.1")


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in text.splitlines())


def help_of(kinglet, *arguments):
    return subprocess.run([kinglet, *arguments, "--help"], check=True, capture_output=True, text=True).stdout


def verbatim(text):
    return f".nf\n{escape(text.rstrip())}\n.fi\n"


def page(kinglet):
    overview = help_of(kinglet)
    title, _, rest = overview.partition("\n")
    name, _, summary = title.partition(": ")
    commands = re.findall(r"^  ([a-z][a-z-]*)  +\S", rest.partition("Commands:")[2].partition("\n\n")[0], re.MULTILINE)
    parts = [
        f'.TH KINGLET 1 "" "{name}" "User Commands"\n',
        f".SH NAME\n{name} \\- {escape(summary)}\n",
        f".SH SYNOPSIS\n.B {name}\nCOMMAND ARGUMENT\\&... [OPTION\\&...]\n",
        ".SH DESCRIPTION\n" + verbatim(rest.partition("Commands:")[2].strip("\n")),
        ".SH COMMANDS\n",
    ]
    for command in commands:
        parts.append(f".SS {name} {escape(command)}\n" + verbatim(help_of(kinglet, command).partition("\n\n")[2]))
    return "".join(parts)


def main():
    arguments = sys.argv[1:]
    if len(arguments) not in (1, 2) or arguments[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    text = page(arguments[0])
    if "--check" not in arguments:
        PAGE.write_text(text, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != text:
        sys.exit(f"{PAGE} is not what the help says; run {sys.argv[0]} {arguments[0]}")


if __name__ == "__main__":
    main()
