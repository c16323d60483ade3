"""Judges arms of an ablation against each other: votes of people and of metrics, Elo, intervals over seeds."""
