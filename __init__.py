"""bgcam: replace what a webcam shows behind a person, in real time."""

__version__ = "0.1.0"
