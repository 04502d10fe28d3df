"""How good predictions are, always beside the floors."""
