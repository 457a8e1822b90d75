"""Clients of a server: sound out, events in, whatever happens to the connection."""
