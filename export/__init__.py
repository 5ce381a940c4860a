"""Checkpoint -> ONNX (FP32, INT8 QDQ); each file is compared with what it was made from before it is written."""
