"""Measurements and pictures that documents quote."""
