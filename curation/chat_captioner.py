"""What captioners share that ask a model of transformers: its name, and how it is had."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from curation.captioner import Captioner
from curation.chat_model import ChatModel, ChatSource, Kind


@dataclass(frozen=True, kw_only=True)
class ChatCaptioner(Captioner):
    """A captioner whose model is named by its hub name or folder, and answers chats."""

    model: str
    """`<owner>/<name>` at the hub, or `local-dir:<folder>`."""
    revision: str | None = None
    """Commit, tag or branch at the hub; null takes the newest. A table goes on with the commit that began it."""

    kind: ClassVar[Kind]
    """What the model is shown."""
    _prepared: ClassVar[ChatSource | None] = None  # of an object that was prepared its own; goes to workers with it

    @property
    def _model(self) -> ChatSource:
        return self._prepared or ChatSource(self.model, self.revision, self.kind)

    def prepare(self) -> None:
        """Sees that the model can be had; downloads it where it comes from a hub, and settles which commit is used.

        Raises:
            ValueError: it cannot; names it and the way out.
        """
        object.__setattr__(self, "_prepared", ChatSource(self.model, self.revision, self.kind).check())

    def weights(self) -> Mapping[str, str | None]:
        """The commit of a model from a hub."""
        return self._model.weights()

    def load_chat(self) -> ChatModel:
        """Loads the model, in the worker."""
        return self._model.load(self.device, self.decoding)
