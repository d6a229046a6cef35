"""The measured database, arranged for readers: a grid, counts, change points and a badge."""
