"""Which genes carry a prediction."""
