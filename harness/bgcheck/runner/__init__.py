"""How tasks are run in a test: response-first clients, modes, gates, faults and clocks."""
