"""Pixels: slide reading and crops. Nothing here knows QuPath or TensorFlow."""
