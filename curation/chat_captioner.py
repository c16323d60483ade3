"""What captioners share that ask a model of transformers: its name, and how it is had."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from curation.captioner import Captioner
from curation.chat_model import ChatModel, ChatSource, Kind


@dataclass(frozen=True, kw_only=True)
class ChatCaptioner(Captioner):
    """A captioner whose model is named by its hub name or folder, and answers chats."""

    model: str
    """`<owner>/<name>` at the hub, or `local-dir:<folder>`."""
    revision: str | None = None
    """Commit, tag or branch at the hub; null takes the newest."""

    kind: ClassVar[Kind]
    """What the model is shown."""

    @property
    def _model(self) -> ChatSource:
        return ChatSource(self.model, self.revision, self.kind)

    def prepare(self) -> None:
        """Sees that the model can be had; downloads it where it comes from a hub.

        Raises:
            ValueError: it cannot; names it and the way out.
        """
        self._model.check()

    def weights(self) -> Mapping[str, Path | None]:
        """The commit of a model from a hub."""
        return self._model.weights()

    def load_chat(self) -> ChatModel:
        """Loads the model, in the worker."""
        return self._model.load(self.device, self.decoding)
