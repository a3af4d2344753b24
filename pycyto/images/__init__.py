"""Pixels: slide reading, crops, patches and their resolution; no QuPath, no TensorFlow."""
