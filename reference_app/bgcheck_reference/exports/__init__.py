"""Reports as files: what is in them, how they are written, and where they are kept."""
