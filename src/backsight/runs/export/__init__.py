"""Saved models in forms that other programs read: plain Keras, and ONNX."""
