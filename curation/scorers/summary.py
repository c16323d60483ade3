"""One caption of several by a language model of transformers: SVD's third caption sums up the other two."""

from collections.abc import Sequence
from dataclasses import dataclass

from curation.caption_text import NoCaption
from curation.captioner import Writer
from curation.chat_captioner import ChatCaptioner
from curation.chat_model import ChatModel
from curation.scorer import Frames


@dataclass(frozen=True, kw_only=True)
class Summary(ChatCaptioner):
    """Any model with the task text-generation whose tokenizer has a chat template; it sees captions and no frame."""

    source: str = "summary"
    """Name of this source of captions; the column is `caption_<source>`."""
    of: tuple[str, ...] = ()
    """Columns of captions that it sums up, beside those that the user brought: `[caption_coca, caption_video]`."""
    prompt: str = (
        "These captions speak of the same short video. Sum them up in one caption of at most two sentences. "
        "Leave out what they contradict each other in. Answer with the caption alone."
    )
    """What the model is asked; the captions follow, one a line."""
    max_caption_chars: int = 1000
    """Of a longer caption the model sees the beginning."""

    kind = "text"
    reads_frames = False

    @property
    def reads(self) -> Sequence[str]:
        """The user's captions and the columns named."""
        return ("clip_id", "captions", *self.of)

    def load(self) -> Writer:
        """Loads model and tokenizer."""
        return _SummaryWriter(self, self.load_chat())


class _SummaryWriter(Writer):
    """A loaded language model."""

    def __init__(self, config: Summary, model: ChatModel) -> None:
        self._config, self._model = config, model

    def subject(self, clip: dict, frames: Frames) -> str:
        texts = [*clip["captions"], *(clip[column] for column in self._config.of)]
        shown = dict.fromkeys(" ".join(text[: self._config.max_caption_chars].split()) for text in texts if text)
        if not any(shown):
            raise NoCaption("there is no caption to sum up")
        return "\n".join([self._config.prompt, "", *(f"- {text}" for text in shown if text)])

    def write(self, subjects: Sequence[str], clip_ids: Sequence[str]) -> list[tuple[str, bool]]:
        return self._model.answer(subjects, clip_ids)
