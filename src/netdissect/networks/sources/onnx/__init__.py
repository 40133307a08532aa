"""ONNX files: read without trusting them, probed at any inner tensor by onnxruntime, receptive fields traced by node."""
