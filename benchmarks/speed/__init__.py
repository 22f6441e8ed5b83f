"""How long `allocate` takes, what it needs, and where its time goes: measured in turn with something to compare."""
