"""Fixtures of the trainer's tests."""

import pytest

from training.callbacks.checkpoints import Checkpoints


@pytest.fixture
def break_at(monkeypatch):
    """Lets a run end as if the power went out after its checkpoint at so many samples: once at each of these counts."""
    save = Checkpoints.on_train_batch_end

    def set_breaks(*samples, also=lambda: None):
        left = set(samples)

        def save_and_break(self, trainer, module, *rest):
            save(self, trainer, module, *rest)
            if module.samples_seen in left:
                left.remove(module.samples_seen)
                also()
                raise RuntimeError("the power went out")

        monkeypatch.setattr(Checkpoints, "on_train_batch_end", save_and_break)

    return set_breaks
