"""Runs and converts BERT-family encoders.

    import kinglet

    kinglet.convert("all-MiniLM-L6-v2", "minilm.kgl")
    model = kinglet.Model("minilm.kgl")
    vectors = model.encode(["A cat sleeps.", "A kitten naps."])   # NumPy, (2, 384), float32

Numbers of int8 models are the same bits on every machine. Offsets count code points: text[begin:end].
"""

from ._convert import convert
from ._model import Answer, Classification, Entity, Ids, Input, Model, Prediction, Tokens
from ._native import Error, isa, version

__version__ = version()
__all__ = [
    "Answer",
    "Classification",
    "Entity",
    "Error",
    "Ids",
    "Input",
    "Model",
    "Prediction",
    "Tokens",
    "convert",
    "isa",
    "version",
]
