"""What runs in a call: source -> matte -> picture -> sink. Imports NumPy alone; the rest comes when it is needed."""
