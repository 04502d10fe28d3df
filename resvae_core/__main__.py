"""Entry point of ``python -m resvae_core``."""

from resvae_core.cli.main import main

if __name__ == "__main__":
    main()
