"""Models of transformers that answer a chat: language models, and those that look at pictures or video."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from curation.next_token import Decoding, NextToken

LOCAL_PREFIX = "local-dir:"
FILES = ["*.json", "*.jinja", "*.txt", "*.model", "*.safetensors"]  # never pickles
NOT_FILES = ["consolidated*", "original/*"]  # the same weights once more, in another layout
_COMMIT = re.compile(r"[0-9a-f]{40}")

Kind = Literal["text", "pictures"]
Questions = Sequence[str | list[dict]]
"""For each clip a message: text, or a list of pictures, videos and texts as chat templates take it."""


@dataclass(frozen=True)
class ChatSource:
    """Where a model comes from."""

    model: str
    """`<owner>/<name>` at the hub, or `local-dir:<folder>`."""
    revision: str | None
    """Commit, tag or branch at the hub; null takes the newest."""
    kind: Kind
    """Whether it reads text alone, or pictures or video too."""

    def check(self) -> "ChatSource":
        """Sees that it can be had and answers chats; downloads it where it comes from a hub. Loads no weights.

        Returns:
            The same with the commit as its revision, where it comes from a hub: what is loaded from it later is what
            was seen here, though a branch may have moved meanwhile.

        Raises:
            ValueError: it cannot; names it and the way out.
        """
        import torch
        import transformers

        folder = self._folder()
        try:
            processor, config = self._processor(folder), transformers.AutoConfig.from_pretrained(folder)
            with torch.device("meta"):
                self._class().from_config(config)
        except Exception as error:  # each model's own code runs here, and raises what it likes
            raise self._refusal(error) from error
        tokenizer = getattr(processor, "tokenizer", processor)
        if not tokenizer.encode("a", add_special_tokens=False):  # made of nothing, without an error
            raise ValueError(f"model {self.model!r} has no words; its tokenizer's files are missing")
        if not getattr(processor, "chat_template", None):
            raise ValueError(f"model {self.model!r} has no chat template, so it cannot be asked; name one that has")
        if not list(folder.glob("*.safetensors")):
            raise ValueError(f"model {self.model!r} has no weights as *.safetensors; other formats are not read")
        return self if self._is_local else replace(self, revision=folder.name)

    def load(self, device: str, decoding: Decoding) -> "ChatModel":
        """The model, ready to be asked; bfloat16 on a GPU, float32 on a CPU.

        Raises:
            ValueError: it cannot be loaded; names it and the way out.
        """
        import torch
        import transformers

        folder = self._folder()
        transformers.utils.logging.disable_progress_bar()  # it would speak amid the job's own
        dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
        try:
            model = self._class().from_pretrained(folder, dtype=dtype, use_safetensors=True)
            return ChatModel(model.to(device).eval(), self._processor(folder), decoding)
        except Exception as error:
            raise self._refusal(error) from error

    def weights(self) -> dict[str, str | None]:
        """What tells the content of weights from a hub: the commit, by the key `revision`; None while none is here."""
        import huggingface_hub

        if self._is_local:
            return {}
        if self.revision and _COMMIT.fullmatch(self.revision):
            return {"revision": self.revision}
        config = huggingface_hub.try_to_load_from_cache(self.model, "config.json", revision=self.revision)
        return {"revision": Path(config).parent.name if isinstance(config, str) else None}

    @property
    def _is_local(self) -> bool:
        return self.model.startswith(LOCAL_PREFIX)

    def _class(self) -> Any:
        import transformers

        return transformers.AutoModelForCausalLM if self.kind == "text" else transformers.AutoModelForImageTextToText

    def _processor(self, folder: Path) -> Any:
        import transformers

        auto = transformers.AutoTokenizer if self.kind == "text" else transformers.AutoProcessor
        return auto.from_pretrained(folder)

    def _folder(self) -> Path:
        """The folder with its files, downloaded if need be."""
        import huggingface_hub

        if self._is_local:
            folder = Path(self.model.removeprefix(LOCAL_PREFIX))
            if not (folder / "config.json").is_file():
                raise ValueError(
                    f"there is no {folder}/config.json; paths count from the folder where the command runs"
                )
            return folder
        if Path(self.model).is_dir():
            raise ValueError(f"{self.model} is a folder; say {LOCAL_PREFIX}{self.model}")
        try:
            return Path(
                huggingface_hub.snapshot_download(
                    self.model, revision=self.revision, allow_patterns=FILES, ignore_patterns=NOT_FILES
                )
            )
        except Exception as error:  # no such name, no network, no room: each has its own class
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> ValueError:
        reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        return ValueError(
            f"model {self.model!r} cannot be loaded ({reason}). With no network name a local copy: "
            f"model: {LOCAL_PREFIX}<folder>"
        )


class ChatModel:
    """A loaded model and its processor."""

    def __init__(self, model: Any, processor: Any, decoding: Decoding) -> None:
        self._model, self._processor, self._decoding = model, processor, decoding
        self._tokenizer = getattr(processor, "tokenizer", processor)
        self._tokenizer.padding_side = "left"  # so that all answers of a batch begin at one place
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        ends = model.generation_config.eos_token_id
        self._ends = set(ends if isinstance(ends, list) else [ends])
        # Words are picked by NextToken: what the model came with would draw by a generator that the batch shares.
        for name in ("temperature", "top_p", "top_k"):
            setattr(model.generation_config, name, None)

    @property
    def takes_video(self) -> bool:
        """Whether it knows video; else pictures alone."""
        return getattr(self._processor, "video_processor", None) is not None

    def answer(
        self, questions: Questions, clip_ids: Sequence[str], processing: Mapping[str, Any] = MappingProxyType({})
    ) -> list[tuple[str, bool]]:
        """For each clip the answer, and whether it came to an end by itself.

        Args:
            questions: for each clip the content of the one message that it is asked with.
            clip_ids: of these clips.
            processing: settings of the processor.
        """
        import torch

        inputs = self._inputs(questions, processing)
        with torch.inference_mode():
            tokens = self._model.generate(
                **inputs,
                max_new_tokens=self._decoding.max_tokens,
                do_sample=False,
                pad_token_id=self._tokenizer.pad_token_id,
                logits_processor=[_picked_alone(NextToken(self._decoding, clip_ids))],
            )
        return [self._text(row) for row in tokens[:, inputs["input_ids"].shape[1] :].tolist()]

    def _inputs(self, questions: Questions, processing: Mapping[str, Any]) -> dict[str, Any]:
        chats = [[{"role": "user", "content": question}] for question in questions]
        template: dict[str, Any] = {"add_generation_prompt": True, "tokenize": True, "return_dict": True}
        # A caption may hold the marks that part messages; they are to be read as mere text.
        template |= {"return_tensors": "pt", "sanitize_control_tokens": True}
        settings = {"padding": True, **processing}
        settings = settings if self._tokenizer is self._processor else {"processor_kwargs": settings}
        inputs = self._processor.apply_chat_template(chats, **template, **settings)
        return {name: self._moved(name, value) for name, value in inputs.items()}

    def _moved(self, name: str, value: Any) -> Any:
        import torch

        if not isinstance(value, torch.Tensor):
            return value
        return value.to(self._model.device, self._model.dtype if name.startswith("pixel_values") else None)

    def _text(self, tokens: list[int]) -> tuple[str, bool]:
        finished = not self._ends.isdisjoint(tokens)
        return self._tokenizer.decode(tokens, skip_special_tokens=True), finished


def _picked_alone(next_token: NextToken) -> Any:
    """A logits processor that leaves each row nothing but the token picked."""
    import torch

    def process(input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return torch.full_like(scores, -torch.inf).scatter(1, next_token(scores)[:, None], 0.0)  # (B, V)

    return process
