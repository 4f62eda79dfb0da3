"""One class per engine: make(shape files, precision, threads) gives a callable from a padded batch to hidden states.

An engine's run(ids, lengths) takes ids [batch][length] (0 beyond a row's length) and returns the last hidden states,
[batch, length, hidden], as the engine gives them; kinglet gets the rows without their padding."""

import ctypes
import pathlib
import subprocess

import numpy as np

import litert
import models
import onnx_files


class Files:
    """The model files of one shape, made once in a cache folder."""

    def __init__(self, cache: pathlib.Path, shape, kinglet):
        self.shape, self.folder = shape, cache / shape
        self.kgl = {p: self.folder / f"model-{p}.kgl" for p in ["int8", "fp32"]}
        self.onnx = self.folder / "model.onnx"
        self.fused = self.folder / "fused.onnx"
        self.fused_int8 = self.folder / "fused-int8.onnx"
        self.openvino = {p: self.folder / f"openvino-{p}.xml" for p in ["int8", "fp32"]}
        self.ctranslate2 = self.folder / "ctranslate2"
        self.litert = {p: self.folder / f"litert-{p}.tflite" for p in ["int8", "fp32"]}
        if not (self.folder / "done").exists():
            self.make(kinglet)
            (self.folder / "done").write_text("")

    def make(self, kinglet):
        import onnx
        weights = models.random_weights(self.shape)
        models.write_folder(self.folder / "hf", self.shape, weights)
        for precision, path in self.kgl.items():
            subprocess.run([kinglet, "convert", self.folder / "hf", "-o", path, "--precision", precision], check=True,
                           stdout=subprocess.DEVNULL)
        onnx.save(models.onnx_model(self.shape, weights), self.onnx)
        _, hidden, heads, _ = models.SHAPES[self.shape]
        onnx_files.fuse(self.onnx, self.fused, hidden, heads)
        onnx_files.quantize(self.fused, self.fused_int8)
        self.make_openvino()
        models.write_ctranslate2(self.ctranslate2, self.shape, weights)
        for precision, path in self.litert.items():
            litert.write(path, self.shape, weights, precision == "int8")

    def make_openvino(self):
        """int8 by NNCF's post-training quantisation for transformers, calibrated on random ids."""
        import nncf
        import openvino
        model = openvino.convert_model(self.onnx)
        openvino.save_model(model, self.openvino["fp32"], compress_to_fp16=False)
        random = np.random.default_rng(2)
        data = [{"ids": random.integers(5, models.VOCABULARY, (1, 64)), "mask": np.ones((1, 64), np.int64)}
                for _ in range(16)]
        quantized = nncf.quantize(model, nncf.Dataset(data), model_type=nncf.ModelType.TRANSFORMER, subset_size=16)
        openvino.save_model(quantized, self.openvino["int8"])


class OnnxRuntime:
    name = "ONNX Runtime"

    def __init__(self, files, precision, threads):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        path = files.fused if precision == "fp32" else files.fused_int8
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(self, ids, lengths):
        mask = (np.arange(ids.shape[1])[None] < lengths[:, None]).astype(np.int64)
        return self.session.run(None, {"ids": ids.astype(np.int64), "mask": mask})[0]


class OpenVino:
    name = "OpenVINO"

    def __init__(self, files, precision, threads):
        import openvino
        config = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
                  "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False}
        self.request = openvino.Core().compile_model(files.openvino[precision], "CPU", config).create_infer_request()

    def run(self, ids, lengths):
        mask = (np.arange(ids.shape[1])[None] < lengths[:, None]).astype(np.int64)
        return self.request.infer({"ids": ids.astype(np.int64), "mask": mask})[0]


class CTranslate2:
    name = "CTranslate2"

    def __init__(self, files, precision, threads):
        import ctranslate2
        self.view = ctranslate2.StorageView
        kind = {"fp32": "float32", "int8": "int8"}[precision]
        self.encoder = ctranslate2.Encoder(str(files.ctranslate2), compute_type=kind, intra_threads=threads,
                                           inter_threads=1)

    def run(self, ids, lengths):
        out = self.encoder.forward_batch(self.view.from_array(ids.astype(np.int32)),
                                         self.view.from_array(lengths.astype(np.int32)))
        return np.array(out.last_hidden_state)


class LiteRt:
    """Texts one by one without padding: with one text its operators need no shapes but the length."""
    name = "LiteRT"

    def __init__(self, files, precision, threads):
        from ai_edge_litert.interpreter import Interpreter
        self.interpreter = Interpreter(str(files.litert[precision]), num_threads=threads)
        self.inputs = [entry["index"] for entry in self.interpreter.get_input_details()]
        self.output = self.interpreter.get_output_details()[0]["index"]
        self.length = None

    def run(self, ids, lengths):
        rows = [self.row(row[:length].astype(np.int32)) for row, length in zip(ids, lengths)]
        out = np.zeros((*ids.shape, rows[0].shape[1]), np.float32)
        for target, row in zip(out, rows):
            target[:len(row)] = row
        return out

    def row(self, ids):
        values = [ids[None], np.arange(len(ids), dtype=np.int32)[None], np.ones((1, 1, 1, len(ids)), np.float32)]
        if self.length != len(ids):
            for index, value in zip(self.inputs, values):
                self.interpreter.resize_tensor_input(index, value.shape)
            self.interpreter.allocate_tensors()
            self.length = len(ids)
        for index, value in zip(self.inputs, values):
            self.interpreter.set_tensor(index, value)
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.output)[0]


class _Input(ctypes.Structure):
    _fields_ = [("text", ctypes.c_char_p), ("text_length", ctypes.c_size_t), ("pair", ctypes.c_char_p),
                ("pair_length", ctypes.c_size_t), ("ids", ctypes.POINTER(ctypes.c_int32)),
                ("type_ids", ctypes.POINTER(ctypes.c_int32)), ("id_count", ctypes.c_size_t)]


class _Options(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("threads", ctypes.c_uint32), ("max_length", ctypes.c_uint32),
                ("batch", ctypes.c_uint32), ("offset_unit", ctypes.c_int), ("raw_outputs", ctypes.c_int),
                ("pool", ctypes.c_void_p), ("prompt", ctypes.c_char_p)]


class _Output(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("data", ctypes.POINTER(ctypes.c_float)), ("rank", ctypes.c_uint32),
                ("shape", ctypes.c_uint32 * 2)]


class Kinglet:
    name = "kinglet"
    library = None  # path of libkinglet.so, set by the script

    def __init__(self, files, precision, threads, max_length=512, batch=1):
        self.lib = ctypes.CDLL(str(self.library))
        model, self.session = ctypes.c_void_p(), ctypes.c_void_p()
        self.check(self.lib.kinglet_model_open_path(str(files.kgl[precision]).encode(), ctypes.byref(model)))
        options = _Options(ctypes.sizeof(_Options), threads, max_length, batch, 0, 1, None, None)
        self.check(self.lib.kinglet_session_create(model, ctypes.byref(options), ctypes.byref(self.session)))

    def check(self, status):
        if status != 0:
            raise RuntimeError(f"kinglet: status {status}")

    def run(self, ids, lengths, collect=True):
        rows = np.ascontiguousarray(ids, np.int32)
        inputs = (_Input * len(rows))()
        for i, row in enumerate(rows):
            inputs[i].ids = row.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
            inputs[i].id_count = int(lengths[i])
        self.check(self.lib.kinglet_encode(self.session, inputs, ctypes.c_size_t(len(rows)), None))
        if not collect:
            return None
        view = _Output()
        self.check(self.lib.kinglet_session_output(self.session, ctypes.c_size_t(0), ctypes.c_uint32(0),
                                               ctypes.byref(view)))
        return np.ctypeslib.as_array(view.data, (1, view.shape[0], view.shape[1])).copy()


RIVALS = [OnnxRuntime, OpenVino, CTranslate2, LiteRt]
