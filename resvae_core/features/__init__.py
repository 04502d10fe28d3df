"""From expression to model inputs: gene order, scaling, alignment, range check."""
