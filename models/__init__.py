"""The shipped models: ONNX files, each with its `ModelSpec` inside. README.md is their card."""
