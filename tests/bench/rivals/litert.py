"""The same encoders as LiteRT (TensorFlow Lite) files, in the built-in operators that its XNNPACK delegate knows; int8
as its converter's dynamic-range quantisation: weights in 8 bits by output, activations quantised by row as they come."""

import numpy as np

import models


class Graph:
    """Operators on tensors, which are their numbers in the file."""

    def __init__(self, schema, int8):
        self.schema, self.int8 = schema, int8
        self.tensors, self.buffers, self.operators, self.codes = [], [schema.BufferT()], [], {}

    def tensor(self, shape, kind=np.float32, data=None, signature=None, quantization=None):
        tensor = self.schema.TensorT()
        tensor.name = f"t{len(self.tensors)}".encode()
        tensor.shape, tensor.shapeSignature = list(shape), signature
        tensor.type = {np.float32: self.schema.TensorType.FLOAT32, np.int32: self.schema.TensorType.INT32,
                       np.int8: self.schema.TensorType.INT8}[kind]
        tensor.quantization = quantization
        if data is not None:
            tensor.buffer = len(self.buffers)
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data, kind).tobytes(), np.uint8)
            self.buffers.append(buffer)
        else:
            tensor.buffer = 0
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def constant(self, data, kind=np.float32):
        data = np.asarray(data, kind)
        return self.tensor(data.shape, kind, data)

    def weight(self, matrix):
        """[outputs][inputs], in 8 bits by output where the graph is int8."""
        if not self.int8:
            return self.constant(matrix)
        scale = np.abs(matrix).max(axis=1) / 127
        quantization = self.schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = scale.astype(np.float32), np.zeros(len(scale), np.int64)
        return self.tensor(matrix.shape, np.int8, np.rint(matrix / scale[:, None]), quantization=quantization)

    def op(self, name, inputs, shape, version=1, **options):
        """A built-in operator with a single result; -1 in `shape` is the length."""
        code = getattr(self.schema.BuiltinOperator, name)
        operator = self.schema.OperatorT()
        operator.opcodeIndex = self.codes.setdefault((code, version), len(self.codes))
        out = self.tensor([1 if n == -1 else n for n in shape], signature=list(shape))
        operator.inputs, operator.outputs = list(inputs), [out]
        kind = {"BATCH_MATMUL": "BatchMatMul", "FULLY_CONNECTED": "FullyConnected", "MEAN": "Reducer", "RSQRT": None,
                }.get(name, name.capitalize())
        if kind:
            operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, kind + "Options")
            operator.builtinOptions = getattr(self.schema, kind + "OptionsT")()
            for field, value in options.items():
                assert hasattr(operator.builtinOptions, field), field
                setattr(operator.builtinOptions, field, value)
        self.operators.append(operator)
        return out

    def save(self, path, inputs, outputs):
        import flatbuffers
        model, graph = self.schema.ModelT(), self.schema.SubGraphT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self.tensors, self.operators, inputs, outputs
        model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], self.buffers, []
        for code, version in self.codes:
            entry = self.schema.OperatorCodeT()
            entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, min(code, 127), version
            model.operatorCodes.append(entry)
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        path.write_bytes(builder.Output())


def write(path, shape, weights, int8):
    """One text: int32 ids [1, length], int32 positions [1, length] and a float mask [1, 1, 1, length] (1 or 0) to hidden
    states [1, length, hidden]. The interpreter resizes the length."""
    from ai_edge_litert import schema_py_generated as schema
    layers, hidden, heads, inner = models.SHAPES[shape]
    head = hidden // heads
    graph = Graph(schema, int8)
    ids, positions = (graph.tensor([1, 1], np.int32, signature=[1, -1]) for _ in range(2))
    mask = graph.tensor([1, 1, 1, 1], signature=[1, 1, 1, -1])
    last = graph.constant([-1], np.int32)
    epsilon = graph.constant([1e-12])

    def linear(x, name, outputs):
        # Version 9: weights with a scale for every output.
        return graph.op("FULLY_CONNECTED", [x, graph.weight(weights[name + ".weight"]),
                                            graph.constant(weights[name + ".bias"])], [1, -1, outputs],
                        version=9 if int8 else 2, keepNumDims=True, asymmetricQuantizeInputs=int8)

    def norm(x, name):
        mean = graph.op("MEAN", [x, last], [1, -1, 1], keepDims=True)
        centered = graph.op("SUB", [x, mean], [1, -1, hidden])
        square = graph.op("MUL", [centered, centered], [1, -1, hidden])
        variance = graph.op("MEAN", [square, last], [1, -1, 1], keepDims=True)
        scale = graph.op("RSQRT", [graph.op("ADD", [variance, epsilon], [1, -1, 1])], [1, -1, 1])
        y = graph.op("MUL", [centered, scale], [1, -1, hidden])
        y = graph.op("MUL", [y, graph.constant(weights[name + ".weight"])], [1, -1, hidden])
        return graph.op("ADD", [y, graph.constant(weights[name + ".bias"])], [1, -1, hidden])

    def table(name, index):
        return graph.op("GATHER", [graph.constant(weights[f"embeddings.{name}.weight"]), index], [1, -1, hidden])

    x = graph.op("ADD", [table("word_embeddings", ids), table("position_embeddings", positions)], [1, -1, hidden])
    x = graph.op("ADD", [x, graph.constant(weights["embeddings.token_type_embeddings.weight"][0])], [1, -1, hidden])
    x = norm(x, "embeddings.LayerNorm")
    bias = graph.op("SUB", [mask, graph.constant([1])], [1, 1, 1, -1])
    bias = graph.op("MUL", [bias, graph.constant([1e4])], [1, 1, 1, -1])
    split, merge = graph.constant([1, -1, heads, head], np.int32), graph.constant([1, -1, hidden], np.int32)
    order, root = graph.constant([0, 2, 1, 3], np.int32), graph.constant([head ** -0.5])
    for i in range(layers):
        p = f"encoder.layer.{i}."
        parts = []
        for name in ["query", "key", "value"]:
            y = graph.op("RESHAPE", [linear(x, p + "attention.self." + name, hidden), split], [1, -1, heads, head],
                         newShape=[1, -1, heads, head])
            parts.append(graph.op("TRANSPOSE", [y, order], [1, heads, -1, head]))
        scores = graph.op("BATCH_MATMUL", parts[:2], [1, heads, -1, -1], adjY=True)
        scores = graph.op("ADD", [graph.op("MUL", [scores, root], [1, heads, -1, -1]), bias], [1, heads, -1, -1])
        scores = graph.op("SOFTMAX", [scores], [1, heads, -1, -1], beta=1.0)
        y = graph.op("BATCH_MATMUL", [scores, parts[2]], [1, heads, -1, head])
        y = graph.op("TRANSPOSE", [y, order], [1, -1, heads, head])
        y = graph.op("RESHAPE", [y, merge], [1, -1, hidden], newShape=[1, -1, hidden])
        y = linear(y, p + "attention.output.dense", hidden)
        x = norm(graph.op("ADD", [y, x], [1, -1, hidden]), p + "attention.output.LayerNorm")
        y = graph.op("GELU", [linear(x, p + "intermediate.dense", inner)], [1, -1, inner], approximate=False)
        y = linear(y, p + "output.dense", hidden)
        x = norm(graph.op("ADD", [y, x], [1, -1, hidden]), p + "output.LayerNorm")
    graph.save(path, [ids, positions, mask], [x])
