"""The picture's stages: pure functions on arrays. Only `composed.py` creates the frames that an output may show."""
