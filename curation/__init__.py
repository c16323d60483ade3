"""Turns raw video into a scored, filtered, deduplicated, sharded data set."""
