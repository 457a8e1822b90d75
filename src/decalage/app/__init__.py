"""The surfaces: command line and Python API; ``compose`` alone knows every part."""
