"""Trains a video diffusion model in stages on the shards that curation packed, and samples from it."""
