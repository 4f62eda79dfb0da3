#!/usr/bin/env python3
"""Makes tokenizers of SentencePiece's BPE, in the forms that are found beside encoders, and records what they give.

    pip install tokenizers==0.22.2 transformers==4.57.3 sentencepiece protobuf numpy
    python3 make_bpe.py OUT [--texts FILE] [--charsmap] [--record]

Every form is a folder in OUT. --texts: lines to train on, instead of the texts recorded in tests/data/tokens. --charsmap
adds those with nmt_nfkc, whose table is too large for the repository. --record writes OUT/NAME.jsonl, as in
tests/data/tokens, which has three of them.
"""

import argparse
import collections
import itertools
import json
import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import sentencepiece  # noqa: E402
import tokenizers  # noqa: E402
import transformers  # noqa: E402
from tokenizers import Regex, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "tokens")
SPECIAL = ["<unk>", "<s>", "</s>", "<pad>", "<mask>"]


def recorded(limit=None):
    for name in ("wordpiece-cased-ko.jsonl", "all-MiniLM-L6-v2.jsonl"):
        with open(os.path.join(DATA, name), encoding="utf-8") as lines:
            for line in lines:
                entry = json.loads(line)
                if limit is None or len(entry["text"]) + len(entry.get("pair", "")) <= limit:
                    yield {key: entry[key] for key in ("text", "pair", "max_length") if key in entry}


def train(folder, name, texts, **options):
    """A model file of SentencePiece's."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as out:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_writer=out, hard_vocab_limit=False, num_threads=1,
            minloglevel=2, **{"model_type": "bpe", "vocab_size": 600, "character_coverage": 1.0, **options})


def write(folder, name, content):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
        json.dump(content, out, ensure_ascii=False, separators=(",", ":"))


def bos_and_eos(vocabulary):
    return processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1",
                                         special_tokens=[("<s>", vocabulary["<s>"]), ("</s>", vocabulary["</s>"])])


def llama(folder, texts, normalized):
    """As Llama's slow tokenizer is converted: Prepend, Replace, no pre-tokenizer."""
    train(folder, "tokenizer.model", texts, byte_fallback=True, normalization_rule_name="identity",
          user_defined_symbols=["<mask>", "    "], remove_extra_whitespaces=False)
    slow = transformers.LlamaTokenizerFast(os.path.join(folder, "tokenizer.model"))
    backend = slow.backend_tokenizer
    backend.post_processor = bos_and_eos(backend.get_vocab())
    if normalized:
        backend.add_tokens([tokenizers.AddedToken(t, normalized=True, lstrip=i > 1, rstrip=i == 2, single_word=i == 3)
                            for i, t in enumerate(["hello", "<n>", "é", "abc", "x y"])])
    backend.save(os.path.join(folder, "tokenizer.json"))
    os.remove(os.path.join(folder, "tokenizer.model"))
    write(folder, "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>",
                                            "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"})


def metaspace(folder, texts, **options):
    """As `tokenizers` trains them: Metaspace, no bytes."""
    tokenizer = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=options.get("fuse", False)))
    tokenizer.normalizer = options.get("normalizer")
    tokenizer.pre_tokenizer = options.get("pre_tokenizer", pre_tokenizers.Metaspace())
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=600, special_tokens=SPECIAL, limit_alphabet=120, show_progress=False))
    tokenizer.post_processor = bos_and_eos(tokenizer.get_vocab())
    os.makedirs(folder, exist_ok=True)
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    if options.get("ignore_merges"):
        path = os.path.join(folder, "tokenizer.json")
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        content["model"]["ignore_merges"] = True
        write(folder, "tokenizer.json", content)
    write(folder, "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>",
                                            "mask_token": "<mask>"})


def raw(folder, texts, kind, **options):
    """A file of SentencePiece's, and the class that reads it."""
    name = {"XLMRobertaTokenizer": "sentencepiece.bpe.model", "AlbertTokenizer": "spiece.model",
            "DebertaV2Tokenizer": "spm.model"}.get(kind, "tokenizer.model")
    train(folder, name, texts, **options)
    write(folder, "tokenizer_config.json", {"tokenizer_class": kind, **options_of(kind, folder)})


def options_of(kind, folder):
    if kind == "LlamaTokenizer":
        return {"legacy": "legacy" in folder, "add_eos_token": True, "add_prefix_space": "noprefix" not in folder}
    return {}


def gemma_pieces(texts):
    return dict(pad_id=0, eos_id=1, bos_id=2, unk_id=3, pad_piece="<pad>", eos_piece="<eos>", bos_piece="<bos>",
                byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
                user_defined_symbols=["<mask>", "<start_of_turn>"], add_dummy_prefix=False)


def make(out, texts, charsmap):
    at = lambda name: os.path.join(out, name)  # noqa: E731
    cls = dict(bos_piece="[CLS]", eos_piece="[SEP]", pad_id=3, pad_piece="<pad>",
               user_defined_symbols=["[MASK]", "user symbol", "(", ")"])
    llama(at("bpe-llama"), texts, False)
    llama(at("bpe-llama-normalized"), texts, True)
    metaspace(at("bpe-metaspace"), texts)
    metaspace(at("bpe-nfkc"), texts, fuse=True, normalizer=normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]))
    metaspace(at("bpe-first"), texts, pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="first", split=False),
              normalizer=normalizers.Sequence([normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]))
    metaspace(at("bpe-words"), texts, ignore_merges=True, pre_tokenizer=pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]))
    metaspace(at("bpe-plain"), texts, pre_tokenizer=None, fuse=True)
    raw(at("bpe-xlmr"), texts, "XLMRobertaTokenizer", normalization_rule_name="identity",
        user_defined_symbols=["user symbol", "<x>"])
    raw(at("bpe-gemma"), texts, "GemmaTokenizer", **gemma_pieces(texts))
    raw(at("bpe-llama-legacy"), texts, "LlamaTokenizer", byte_fallback=True, normalization_rule_name="identity")
    raw(at("bpe-llama-legacy-noprefix"), texts, "LlamaTokenizer", byte_fallback=True, normalization_rule_name="identity")
    raw(at("bpe-llama-new"), texts, "LlamaTokenizer", byte_fallback=True, normalization_rule_name="identity")
    raw(at("unigram-llama-legacy"), texts, "LlamaTokenizer", byte_fallback=True, normalization_rule_name="identity",
        model_type="unigram")
    if charsmap:
        raw(at("bpe-albert"), texts, "AlbertTokenizer", normalization_rule_name="nmt_nfkc", **cls)
        raw(at("bpe-deberta"), texts, "DebertaV2Tokenizer", normalization_rule_name="nmt_nfkc_cf", **cls)
        raw(at("bpe-xlmr-nfkc"), texts, "XLMRobertaTokenizer", normalization_rule_name="nmt_nfkc",
            byte_fallback=True)


def record(out, name):
    backend = transformers.AutoTokenizer.from_pretrained(os.path.join(out, name)).backend_tokenizer
    with open(os.path.join(out, name + ".jsonl"), "w", encoding="utf-8") as lines:
        for entry in list(recorded(60))[::5]:
            if "max_length" in entry:
                backend.enable_truncation(entry["max_length"])
            else:
                backend.no_truncation()
            texts = [entry["text"]] + ([entry["pair"]] if "pair" in entry else [])
            encoding = backend.encode(*texts)
            offsets = []
            for (begin, end), added, sequence in zip(encoding.offsets, encoding.special_tokens_mask,
                                                     encoding.sequence_ids):
                text = texts[sequence or 0]
                offsets.append(None if added else [len(text[:begin].encode()), len(text[:end].encode())])
            lines.write(json.dumps({**entry, "ids": encoding.ids, "type_ids": encoding.type_ids, "offsets": offsets},
                                   ensure_ascii=False, separators=(",", ":")) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--texts")
    parser.add_argument("--charsmap", action="store_true")
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    assert tokenizers.__version__ == "0.22.2" and transformers.__version__ == "4.57.3", "see --help"
    if arguments.texts:
        with open(arguments.texts, encoding="utf-8") as lines:
            texts = [line.rstrip("\n") for line in lines]
    else:
        texts = [entry["text"].replace("\0", " ") for entry in recorded()]
    counts = collections.Counter(itertools.chain.from_iterable(texts))
    common = {character for character, _ in counts.most_common(150)}
    texts = ["".join(character for character in text if character in common) for text in texts]
    make(arguments.out, [text for text in texts if text.strip()], arguments.charsmap)
    if arguments.record:
        for name in sorted(os.listdir(arguments.out)):
            if os.path.isdir(os.path.join(arguments.out, name)):
                record(arguments.out, name)


if __name__ == "__main__":
    main()
