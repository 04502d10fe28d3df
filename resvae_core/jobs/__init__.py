"""Work that takes longer than a page may wait: in a process of its own, with its progress."""
