"""Saved models: cards, digests, strict loading."""
