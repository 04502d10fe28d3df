"""Loops that fit networks."""
