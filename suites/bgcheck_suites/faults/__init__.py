"""Planted faults: the framework broken on purpose, at run time, to see that the suite finds it.

A fault changes one thing in the installed Starlette or FastAPI; `kills.toml` names the
requirements that must fail with it. `bgcheck conform --plant NAME` runs the suite with one of
them, and `bgcheck selftest` with each.
"""

from . import arguments, dependencies, errors, injection, middleware, responses, running, threads
from .planting import FAULTS, Fault, Patches, plant

__all__ = ["FAULTS", "Fault", "Patches", "plant"]

TOPICS = (running, threads, arguments, errors, responses, dependencies, injection, middleware)
