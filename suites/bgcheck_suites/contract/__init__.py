"""The suite `contract`: each pattern of the reference app against the contract."""
