"""Data sets: which cells belong together, and which part each belongs to. No TensorFlow."""
