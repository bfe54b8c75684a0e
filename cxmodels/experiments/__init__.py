"""Controlled tests, and what can be said where nothing is random."""
