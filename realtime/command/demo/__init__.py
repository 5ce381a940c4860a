"""`bgcam demo`: a drawn clip, made as the command makes any other."""
