"""Cells of a version matrix, what was measured in them, and the database derived from that."""
