"""Live speech translation on the CPU you have."""
