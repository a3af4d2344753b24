"""How good a model is, beside what needs no model, in words that a pathologist reads."""
