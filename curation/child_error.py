"""An exception on its way from a child process to its parent: as data, for the child may not be trusted."""

import traceback

from shards.video import VideoError

GPU_MEMORY_WORDS = ("CUDA out of memory", "CUDA error: out of memory", "_STATUS_ALLOC_FAILED")


class ChildRaised(Exception):
    """A function raised, in a child, what means nothing to its parent: `KeyError: 'k'`."""

    @property
    def kind(self) -> str:
        """The exception's own class, `KeyError`."""
        return str(self).split(":", 1)[0]


class ChildTraceback(Exception):
    """Where in the child an exception was raised: the cause of that exception."""


def told(error: Exception) -> dict:
    """An exception as data."""
    where = {"traceback": "".join(traceback.format_exception(error))}
    if isinstance(error, MemoryError):
        return where | {"family": "memory", "words": "the system gave no more"}
    if is_out_of_gpu_memory(error):
        return where | {"family": "memory", "words": "the GPU gave no more"}
    if isinstance(error, VideoError):
        return where | {"family": "video", "words": str(error)}
    if isinstance(error, OSError):
        name = None if error.filename is None else str(error.filename)
        return where | {"family": "os", "errno": error.errno, "words": error.strerror or str(error), "filename": name}
    return where | {"family": "other", "words": f"{type(error).__name__}: {error}"}


def raised(data: dict) -> Exception:
    """The exception to raise for `told` data: MemoryError, VideoError, OSError, else ChildRaised.

    Raises:
        KeyError: it is no such data.
    """
    error = _made(data)
    error.__cause__ = ChildTraceback(data["traceback"])
    return error


def _made(data: dict) -> Exception:
    words = str(data["words"])
    if data["family"] == "os":
        number = data["errno"]
        return OSError(number, words, data["filename"]) if isinstance(number, int) else OSError(words)
    return {"memory": MemoryError, "video": VideoError, "other": ChildRaised}[data["family"]](words)


def is_out_of_gpu_memory(error: BaseException) -> bool:
    """Whether a GPU had too little memory: torch's own error, or that of a CUDA library under it."""
    if type(error).__name__ == "OutOfMemoryError":  # torch.OutOfMemoryError; torch may not be imported here
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in GPU_MEMORY_WORDS)
