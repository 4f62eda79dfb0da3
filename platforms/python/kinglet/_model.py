"""kinglet.Model and what its methods return."""

import operator
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, Union, overload

import numpy as np

from . import _native


@dataclass(frozen=True)
class Ids:
    """An input that is tokenized already, special tokens included."""

    ids: Sequence[int]
    """Below the size of the vocabulary."""
    type_ids: Optional[Sequence[int]] = None
    """As many as ids; None: all 0."""


Input = Union[str, Tuple[str, str], Ids]
"""A text, a pair of texts, or token ids."""


@dataclass(frozen=True)
class Tokens:
    """A text as the model reads it: a list for each part of its tokens."""

    ids: List[int]
    """Numbers in the vocabulary, special tokens included."""
    type_ids: List[int]
    """1 in the second text of a pair, for models that tell them apart."""
    tokens: List[str]
    """Texts in the vocabulary."""
    offsets: List[Optional[Tuple[int, int]]]
    """[begin, end) in code points of the token's own text; None for the tokens that the template adds."""
    truncated: bool
    """Whether max_length cut something."""


@dataclass(frozen=True)
class Classification:
    """The classes of a text."""

    label: str
    """The label with the highest score."""
    score: float
    """That label's score."""
    scores: Dict[str, float]
    """Of all labels, in the model's order."""
    labels: List[str] = field(default_factory=list)
    """Models with several labels per text: those with a score over 0.5."""
    value: Optional[float] = None
    """Models with one output: the raw number."""
    truncated: bool = False
    """Whether the text was cut to max_length."""


@dataclass(frozen=True)
class Entity:
    """A named part of a text."""

    label: Union[str, int]
    """Without "B-" and "I-"; a number where the model has no names."""
    text: str
    """The part itself, text[begin:end]."""
    begin: int
    """Where it begins, in code points."""
    end: int
    """Where it ends."""
    score: float
    """How sure the model is, from 0 to 1."""


@dataclass(frozen=True)
class Answer:
    """An answer found in a context."""

    text: str
    """The part of the context; empty where the best answer is that there is none."""
    begin: int
    """Where it begins in the context, in code points."""
    end: int
    """Where it ends."""
    score: float
    """How sure the model is, from 0 to 1."""


@dataclass(frozen=True)
class Prediction:
    """A token that may stand in place of a mask."""

    token: str
    """What it says, spaces included."""
    id: int
    """Its number in the vocabulary."""
    score: float
    """Its probability."""


# Texts that one native call gets, so that Ctrl-C is answered between calls.
_PIECE = 256


class Model:
    """A model file, ready to run. Any number of threads may use one object; each call in progress has a session, and
    with it working memory, of its own. Use it in a `with` statement or call close() to release the file early.

    path: a .kgl file. threads: per call. max_length: tokens per text, special tokens included; None: the model's
    limit; longer texts are cut. batch: texts computed at once; more is faster and takes more memory. No setting changes
    a result of an int8 model.

    Raises Error for a file that is not a good model. Methods raise Error for a model of another task and for bad ids,
    TypeError for inputs that are no texts, and UnicodeEncodeError for lone surrogates.
    """

    def __init__(
        self,
        path: Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"],
        *,
        threads: int = 1,
        max_length: Optional[int] = None,
        batch: int = 8,
    ) -> None:
        self._settings = (_count("threads", threads), _count("max_length", max_length), _count("batch", batch))
        name = os.fsencode(path)
        if b"\0" in name:
            raise ValueError("path: has a character U+0000")
        self._native: Optional[_native.Model] = _native.Model(name)
        self._info = self._native.info()
        self._batch = self._settings[2] or 1
        self._lock = threading.Lock()
        self._idle: Dict[Tuple[Any, ...], List[Any]] = {}
        with self._session():
            pass  # settings that the model does not allow are refused here

    # ---- What the model is ----

    @property
    def task(self) -> str:
        """"embed", "classify", "tag", "answer", "fill-mask" or "none" (raw outputs only)."""
        return self._info["task"]

    @property
    def architecture(self) -> str:
        """"bert", "albert", …"""
        return self._info["architecture"]

    @property
    def precision(self) -> str:
        """"int8" or "fp32"."""
        return self._info["precision"]

    @property
    def max_length(self) -> int:
        """The most tokens of a text, special tokens included."""
        return self._settings[1] or self._info["max_length"]

    @property
    def dimension(self) -> int:
        """Numbers of an embedding; 0 for other tasks."""
        return self._info["embedding_size"]

    @property
    def labels(self) -> List[str]:
        """Of a classifier or tagger, in the model's order."""
        return list(self._info["labels"])

    @property
    def prompts(self) -> List[str]:
        """Names for `prompt_name` of encode()."""
        return list(self._info["prompts"])

    # ---- Tasks ----

    @overload
    def encode(self, sentences: Union[str, Ids], *, prompt_name: Optional[str] = None) -> np.ndarray: ...
    @overload
    def encode(self, sentences: Sequence[Input], *, prompt_name: Optional[str] = None) -> np.ndarray: ...
    def encode(self, sentences: Any, *, prompt_name: Optional[str] = None) -> np.ndarray:
        """Embeddings as float32: shape (dimension,) for one text, (len(sentences), dimension) for a list."""
        single = isinstance(sentences, (str, Ids))
        inputs = _inputs([sentences] if single else sentences)
        if prompt_name is not None and b"\0" in prompt_name.encode():
            raise ValueError("prompt_name: has a character U+0000")
        with self._session(prompt=prompt_name) as session:
            if len(inputs) <= _PIECE:
                embeddings = session.embed(inputs)[0]
            else:
                embeddings = np.concatenate([session.embed(piece)[0] for piece in _pieces(inputs, _PIECE)])
        return embeddings[0] if single else embeddings

    def similarity(self, a: str, b: str) -> float:
        """The cosine of the embeddings of two texts."""
        x, y = self.encode([a, b])
        length = float(np.sqrt(np.dot(x, x) * np.dot(y, y)))
        return float(np.dot(x, y)) / length if length > 0 else 0.0

    @overload
    def classify(self, texts: Union[str, Tuple[str, str], Ids]) -> Classification: ...
    @overload
    def classify(self, texts: List[Input]) -> List[Classification]: ...
    def classify(self, texts: Any) -> Any:
        """Labels with their scores. A pair of texts is a tuple."""
        single = not isinstance(texts, list)
        labels, scoring = self._info["labels"], self._info["scoring"]
        results = []
        with self._session() as session:
            for piece in _pieces(_inputs([texts] if single else texts), _PIECE):
                scores, logits, truncated = session.classify(piece)
                for row, raw, cut in zip(scores.tolist(), logits.tolist(), truncated):
                    results.append(_classification(labels, scoring, row, raw, bool(cut)))
        return results[0] if single else results

    def rerank(self, query: str, texts: Sequence[str]) -> List[Tuple[int, float]]:
        """(index, score) of the texts, the best for the query first. For cross-encoders."""
        with self._session() as session:
            scores = session.rerank(query, _inputs(texts))[0].tolist()
        return sorted(enumerate(scores), key=lambda item: -item[1])

    @overload
    def tag(self, texts: str, *, aggregation: str = "simple") -> List[Entity]: ...
    @overload
    def tag(self, texts: List[str], *, aggregation: str = "simple") -> List[List[Entity]]: ...
    def tag(self, texts: Any, *, aggregation: str = "simple") -> Any:
        """Entities in the order of the text. aggregation: "simple", "first", "average" or "max"."""
        strategies = ("simple", "first", "average", "max")
        if aggregation not in strategies:
            raise ValueError(f"aggregation is {aggregation!r}, expected one of {', '.join(strategies)}")
        single = isinstance(texts, str)
        texts = [texts] if single else texts
        found: List[List[Entity]] = []
        with self._session() as session:
            for piece in _pieces(texts, self._batch):
                for text, entities in zip(piece, session.tag(_inputs(piece), strategies.index(aggregation))):
                    found.append([Entity(label, text[b:e], b, e, score) for label, b, e, score in entities])
        return found[0] if single else found

    def answer(
        self,
        question: str,
        context: str,
        *,
        top_k: int = 1,
        max_answer_tokens: int = 15,
        max_length: Optional[int] = None,
        stride: Optional[int] = None,
        no_answer: bool = False,
    ) -> List[Answer]:
        """Answers from a context of any length, the best first. no_answer: "there is none" (an empty text) competes."""
        counts = (
            _count("top_k", top_k),
            _count("max_answer_tokens", max_answer_tokens),
            _count("max_length", max_length),
            _count("stride", stride),
        )
        with self._session(top_k=counts[0]) as session:
            spans = session.answer([(question, context)], *counts, bool(no_answer))
        return [Answer(context[b:e], b, e, score) for b, e, score in spans[0]]

    def fill_mask(self, text: Input, *, top_k: int = 5) -> List[List[Prediction]]:
        """For every mask in the text the top_k tokens, the best first."""
        native = self._open()
        with self._session(top_k=_count("top_k", top_k)) as session:
            masks = session.fill_mask(_inputs([text]), top_k)[0]
        return [[Prediction(native.token_text(id), id, score) for id, score in mask] for mask in masks]

    def outputs(self, text: Input) -> Dict[str, np.ndarray]:
        """The model's raw outputs under their Hugging Face names."""
        with self._session(raw_outputs=True) as session:
            return session.outputs(_inputs([text]))[0]

    def tokenize(self, text: Union[str, Tuple[str, str]], *, max_length: Optional[int] = None) -> Tokens:
        """Tokens with their places in the text. max_length None cuts nothing."""
        native = self._open()
        with self._session() as session:
            ids, type_ids, offsets, truncated = session.tokenize(text, _count("max_length", max_length))
        return Tokens(ids, type_ids, [native.token(id) for id in ids], offsets, truncated)

    # ---- Life ----

    def close(self) -> None:
        """Releases the file and the memory of idle sessions. Calls in progress finish; later ones raise Error."""
        with self._lock:
            self._native = None
            self._idle = {}

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<kinglet.Model {self.architecture} {self.precision}, task {self.task}>"

    def _open(self) -> Any:
        if self._native is None:
            raise _native.Error("the model is closed")
        return self._native

    # A session of these settings that nobody else uses meanwhile.
    @contextmanager
    def _session(self, *, raw_outputs: bool = False, prompt: Optional[str] = None, top_k: int = 0) -> Iterator[Any]:
        key = (raw_outputs, prompt, top_k if top_k > 16 else 0)
        with self._lock:
            native = self._open()
            idle = self._idle.setdefault(key, [])
            session = idle.pop() if idle else None
        if session is None:
            session = _native.Session(native, *self._settings, *key)
        try:
            yield session
        finally:
            with self._lock:
                if self._native is not None:
                    self._idle.setdefault(key, []).append(session)


# A setting that is a number of things; None: the default, which is 0 to the native module.
def _count(name: str, value: Optional[int]) -> int:
    if value is None:
        return 0
    number = operator.index(value)
    if not 1 <= number < 2**31:
        raise ValueError(f"{name} is {number}, expected at least 1")
    return number


def _inputs(items: Any) -> List[Any]:
    return [
        (
            np.ascontiguousarray(item.ids, dtype=np.int32),
            None if item.type_ids is None else np.ascontiguousarray(item.type_ids, dtype=np.int32),
        )
        if isinstance(item, Ids)
        else item
        for item in items
    ]


def _pieces(items: List[Any], size: int) -> Iterator[List[Any]]:
    for begin in range(0, len(items), size):
        yield list(items[begin : begin + size])


def _classification(
    labels: List[str], scoring: str, scores: List[float], logits: List[float], truncated: bool
) -> Classification:
    best = max(range(len(scores)), key=scores.__getitem__)
    named = dict(zip(labels, scores))
    if len(scores) == 1:
        return Classification(labels[0], scores[0], named, [], logits[0], truncated)
    over = [label for label, score in named.items() if score > 0.5] if scoring == "sigmoid" else []
    return Classification(labels[best], scores[best], named, over, None, truncated)
