"""The reference suite: every pattern of the reference app, driven with the fixtures of bgcheck."""
