"""The runtimes side by side on this machine: what to measure, each cell in its own process, the report."""
