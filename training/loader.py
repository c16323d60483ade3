"""A loader whose batches begin wherever the weights stand."""

from typing import Any

from torch.utils.data import DataLoader

from training.stream import Batch, Stream


class StageLoader(DataLoader):
    """A loader that begins amid a stage; Lightning takes it as resumable and counts on from the batches of before."""

    def __init__(self, dataset: Stream, num_batches: int, **settings: Any) -> None:
        super().__init__(dataset, batch_size=None, collate_fn=_as_it_is, **settings)
        self.num_batches = num_batches

    def __len__(self) -> int:
        """Batches of the whole stage, not of what is left."""
        return self.num_batches

    def state_dict(self) -> dict:
        """Nothing: the position follows from the optimizer's steps."""
        return {}

    def load_state_dict(self, state_dict: dict) -> None:
        """Nothing to do: `StageData.train_dataloader` began at the right position."""


def _as_it_is(batch: Any) -> Batch:
    return batch
