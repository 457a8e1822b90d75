"""How many speakers a machine carries: one is measured, the program's own scheduling simulates the rest."""
