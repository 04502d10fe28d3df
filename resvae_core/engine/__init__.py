"""Where the parts of a computation run: here, in processes of this machine, or on a cluster."""
