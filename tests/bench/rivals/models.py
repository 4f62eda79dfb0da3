"""BERT encoders of known shapes with random weights: as a Hugging Face folder for kinglet, as ONNX for the rivals, and
as a CTranslate2 model. All hold the same numbers."""

import json
import pathlib
import struct

import numpy as np

SHAPES = {  # layers, hidden, heads, intermediate
    "bert-base": (12, 768, 12, 3072),
    "distilbert": (6, 768, 12, 3072),
    "minilm-l6": (6, 384, 12, 1536),
    "bert-tiny": (2, 128, 2, 512),
}
VOCABULARY, POSITIONS = 30522, 512


def random_weights(shape):
    """Hugging Face names and numbers of a BertModel, such that activations stay about 1."""
    layers, hidden, _, inner = SHAPES[shape]
    random = np.random.default_rng(1)

    def normal(rows, columns=None, deviation=0.02):
        size = rows if columns is None else (rows, columns)
        return random.normal(0, deviation, size).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": normal(VOCABULARY, hidden, 0.5),
        "embeddings.position_embeddings.weight": normal(POSITIONS, hidden, 0.1),
        "embeddings.token_type_embeddings.weight": normal(2, hidden, 0.1),
    }

    def linear(name, outputs, inputs):
        weights[name + ".weight"] = normal(outputs, inputs, inputs ** -0.5)
        weights[name + ".bias"] = normal(outputs)

    def norm(name):
        weights[name + ".weight"] = 1 + normal(hidden)
        weights[name + ".bias"] = normal(hidden)

    norm("embeddings.LayerNorm")
    for i in range(layers):
        p = f"encoder.layer.{i}."
        for name in ["query", "key", "value"]:
            linear(p + "attention.self." + name, hidden, hidden)
        linear(p + "attention.output.dense", hidden, hidden)
        norm(p + "attention.output.LayerNorm")
        linear(p + "intermediate.dense", inner, hidden)
        linear(p + "output.dense", hidden, inner)
        norm(p + "output.LayerNorm")
    return weights


def write_folder(folder: pathlib.Path, shape, weights):
    """A Hugging Face checkpoint: config, WordPiece vocabulary of made-up words, model.safetensors."""
    layers, hidden, heads, inner = SHAPES[shape]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu", "hidden_size": hidden,
        "intermediate_size": inner, "layer_norm_eps": 1e-12, "max_position_embeddings": POSITIONS,
        "num_attention_heads": heads, "num_hidden_layers": layers, "pad_token_id": 0, "type_vocab_size": 2,
        "position_embedding_type": "absolute", "vocab_size": VOCABULARY}))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (folder / "vocab.txt").write_text("\n".join(special + [f"w{i}" for i in range(VOCABULARY - 5)]) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer",
                                                              "do_lower_case": True}))
    header, offset = {}, 0
    for name, tensor in weights.items():
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in weights.values():
            file.write(tensor.tobytes())


def onnx_model(shape, weights):
    """ids [batch, length] and mask [batch, length] (1 or 0) to last_hidden_state, in the operators that exporters
    write, so that each engine finds the patterns that it fuses."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    layers, hidden, heads, _ = SHAPES[shape]
    head = hidden // heads
    nodes, constants = [], {}

    def constant(name, value):
        constants[name] = numpy_helper.from_array(np.array(value, order="C"), name)
        return name

    def node(kind, inputs, output, **attributes):
        nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def linear(x, name, output):
        product = node("MatMul", [x, constant(name + ".T", weights[name + ".weight"].T)], output + ".product")
        return node("Add", [constant(name + ".bias", weights[name + ".bias"]), product], output)

    def norm(x, name, output):
        return node("LayerNormalization", [x, constant(name + ".weight", weights[name + ".weight"]),
                                           constant(name + ".bias", weights[name + ".bias"])], output,
                    axis=-1, epsilon=1e-12)

    ints = lambda *values: np.array(values, np.int64)
    length = node("Gather", [node("Shape", ["ids"], "shape"), constant("one", np.array(1, np.int64))], "length")
    ends = node("Unsqueeze", [length, constant("axis0", ints(0))], "ends")
    positions = node("Slice", [constant("positions", weights["embeddings.position_embeddings.weight"]),
                               constant("zero", ints(0)), ends, "axis0"], "position_rows")
    words = node("Gather", [constant("words", weights["embeddings.word_embeddings.weight"]), "ids"], "word_rows")
    types = constant("types", weights["embeddings.token_type_embeddings.weight"][0])
    x = node("Add", [node("Add", [words, types], "words_types"), positions], "embedded")
    x = norm(x, "embeddings.LayerNorm", "x")

    mask = node("Unsqueeze", ["mask", constant("axis1", ints(1))], "mask3")
    mask = node("Unsqueeze", [mask, constant("axis2", ints(2))], "mask4")
    masked = node("Sub", [constant("one_f", np.array(1, np.float32)),
                          node("Cast", [mask], "mask_f", to=TensorProto.FLOAT)], "masked")
    bias = node("Mul", [masked, constant("low", np.array(-1e4, np.float32))], "mask_bias")
    split, merge = constant("split", ints(0, 0, heads, head)), constant("merge", ints(0, 0, hidden))
    for i in range(layers):
        p, n = f"encoder.layer.{i}.", f"l{i}."
        parts = {}
        for name, order in [("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])]:
            y = linear(x, p + "attention.self." + name, n + name)
            y = node("Reshape", [y, split], n + name + ".split")
            parts[name] = node("Transpose", [y], n + name + ".heads", perm=order)
        scores = node("MatMul", [parts["query"], parts["key"]], n + "scores")
        scores = node("Div", [scores, constant("root", np.array(head ** 0.5, np.float32))], n + "scaled")
        scores = node("Softmax", [node("Add", [scores, bias], n + "biased")], n + "softmax", axis=-1)
        y = node("MatMul", [scores, parts["value"]], n + "context")
        y = node("Reshape", [node("Transpose", [y], n + "rows", perm=[0, 2, 1, 3]), merge], n + "merged")
        y = linear(y, p + "attention.output.dense", n + "out")
        x = norm(node("Add", [y, x], n + "sum1"), p + "attention.output.LayerNorm", n + "norm1")
        y = linear(x, p + "intermediate.dense", n + "up")
        e = node("Erf", [node("Div", [y, constant("sqrt2", np.array(2 ** 0.5, np.float32))], n + "erf_in")], n + "erf")
        y = node("Mul", [y, node("Add", [e, "one_f"], n + "erf1")], n + "gelu2")
        y = node("Mul", [y, constant("half", np.array(0.5, np.float32))], n + "gelu")
        y = linear(y, p + "output.dense", n + "down")
        x = norm(node("Add", [y, x], n + "sum2"), p + "output.LayerNorm", n + "norm2")
    node("Identity", [x], "last_hidden_state")
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "bert", [info(name, TensorProto.INT64, ["batch", "length"]) for name in ["ids", "mask"]],
        [info("last_hidden_state", TensorProto.FLOAT, ["batch", "length", hidden])], list(constants.values()))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write_ctranslate2(folder, shape, weights):
    import ctranslate2
    from ctranslate2.specs import common_spec, transformer_spec

    layers, _, heads, _ = SHAPES[shape]
    encoder = transformer_spec.TransformerEncoderSpec(
        layers, heads, pre_norm=False, activation=common_spec.Activation.GELU, layernorm_embedding=True)
    spec = transformer_spec.TransformerEncoderModelSpec(encoder)

    def set_linear(target, *names):
        target.weight = np.concatenate([weights[name + ".weight"] for name in names])
        target.bias = np.concatenate([weights[name + ".bias"] for name in names])

    def set_norm(target, name):
        target.gamma, target.beta = weights[name + ".weight"], weights[name + ".bias"]

    encoder.scale_embeddings = False
    # All tokens are of type 0, whose row is part of every word's here.
    encoder.embeddings[0].weight = (weights["embeddings.word_embeddings.weight"] +
                                    weights["embeddings.token_type_embeddings.weight"][0])
    encoder.position_encodings.encodings = weights["embeddings.position_embeddings.weight"]
    set_norm(encoder.layernorm_embedding, "embeddings.LayerNorm")
    for i, layer in enumerate(encoder.layer):
        p = f"encoder.layer.{i}."
        set_linear(layer.self_attention.linear[0], *[p + "attention.self." + n for n in ["query", "key", "value"]])
        set_linear(layer.self_attention.linear[1], p + "attention.output.dense")
        set_norm(layer.self_attention.layer_norm, p + "attention.output.LayerNorm")
        set_linear(layer.ffn.linear_0, p + "intermediate.dense")
        set_linear(layer.ffn.linear_1, p + "output.dense")
        set_norm(layer.ffn.layer_norm, p + "output.LayerNorm")
    spec.register_vocabulary([f"w{i}" for i in range(VOCABULARY)])
    spec.config.layer_norm_epsilon = 1e-12
    folder.mkdir(exist_ok=True)
    spec.validate()
    spec.save(str(folder))
