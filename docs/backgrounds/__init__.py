"""The scenes of docs/make_backgrounds.py, and what draws them."""
