"""Public sets in their published layouts, and a plain folder per class: one reader each."""
