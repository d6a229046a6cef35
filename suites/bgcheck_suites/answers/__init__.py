"""Answers from what was measured: what differs between two sets of versions."""
