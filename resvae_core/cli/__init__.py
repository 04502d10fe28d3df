"""The command line: ``python -m resvae_core``. It parses and prints; the core computes."""
