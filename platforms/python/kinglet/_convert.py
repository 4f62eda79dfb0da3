"""kinglet.convert: checkpoints to model files, by the executable that comes with the package."""

import os
from typing import Iterable, Optional, Union

from . import _executable
from ._native import Error


def convert(
    source: Union[str, "os.PathLike[str]"],
    output: Union[str, "os.PathLike[str]"],
    *,
    precision: str = "int8",
    task: Optional[str] = None,
    labels: Optional[Iterable[str]] = None,
    keep_fp32: Iterable[str] = (),
) -> None:
    """Converts a checkpoint folder (Hugging Face or sentence-transformers) into the file `output`.

    precision: "int8" or "fp32". task: "embed", "classify", "tag", "answer" or "fill-mask", where the checkpoint does
    not say. labels: names instead of the checkpoint's. keep_fp32: patterns of matrices that stay fp32. The file appears
    whole or not at all. Raises Error with one line that says what is wrong with the checkpoint.
    """
    import subprocess  # takes a tenth of the time in which the package is imported, and most programs only run models

    command = [_executable.path(), "convert", os.fspath(source), "-o", os.fspath(output), "--precision", precision]
    if task is not None:
        command += ["--task", task]
    if labels is not None:
        command += ["--labels", ",".join(labels)]
    for pattern in keep_fp32:
        command += ["--keep-fp32", pattern]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise Error(result.stderr.strip().removeprefix("kinglet: "))
