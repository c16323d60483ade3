"""The demo corpus: a rendered world cut into videos, with planted faults and their ground truth."""
