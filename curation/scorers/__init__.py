"""Scorers: one family of scores a file."""
