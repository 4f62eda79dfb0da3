"""ONNX files as ONNX Runtime's own tools make them of a model: fused, and in int8."""


def fuse(model, fused, hidden, heads):
    """Attention, GELU and norms in single operators, as its tool for transformers does it."""
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions
    options = FusionOptions("bert")
    options.enable_embed_layer_norm = False
    optimizer.optimize_model(str(model), "bert", heads, hidden, options, opt_level=0).save_model_to_file(str(fused))


def quantize(model, quantized):
    """Dynamically, per channel."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    quantize_dynamic(model, quantized, weight_type=QuantType.QInt8, per_channel=True,
                     extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT, "MatMulConstBOnly": True})
