"""Cut detectors: one a file."""
