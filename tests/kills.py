"""Starts `split` in a process of its own, with work that lasts, and finds the processes that it has."""

import os
import subprocess
import sys
import time
from pathlib import Path

from footage import noise_scene, write_video

CONFIG = "split: {splitter: {class_path: faulty.Faulty, init_args: {pause_s: %s}}}\ninputs: {part_max_videos: 1}\n"
TABLES = ("inputs", "videos", "clips", "captions", "proxies")


def render(folder: Path, numbers: range) -> Path:
    """Videos of 14 frames."""
    folder.mkdir(exist_ok=True)
    for number in numbers:
        write_video(folder / f"{number:02d}.mp4", noise_scene(number, 14))
    return folder


def start_split(footage: Path, out: Path, engine: str = "ray", pause_s: float = 0.1, **environment: str):
    """A running `split` with a part for each video."""
    config = out.parent / "lasting.yaml"
    config.write_text(CONFIG % pause_s)
    arguments = ["--videos", str(footage), "--out", str(out), "--engine", engine, "--job", "split"]
    search = os.pathsep.join([os.getcwd(), str(Path(__file__).parent)])
    with (out.parent / f"{out.name}.log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "curation", "run", "--config", str(config), *arguments],
            stdout=log,
            stderr=log,
            env=os.environ | {"PYTHONPATH": search} | environment,
        )


def split_whole(footage: Path, out: Path, **options) -> None:
    """The same to its end."""
    process = start_split(footage, out, **options)
    assert process.wait(200) == 0, (out.parent / f"{out.name}.log").read_text()


def content(root: Path) -> dict[str, bytes]:
    """The bytes of all tables; what else stands in their folders is told as well."""
    files = [path for table in TABLES for path in (root / table).rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def wait_for(condition, seconds: float = 60.0):
    """What the condition gives once it holds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


def descendants(pid: int, words: str) -> list[int]:
    """Processes below one whose command line holds these words, oldest first."""
    parents, found = {}, []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if words in (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"):
                found.append(int(folder.name))
        except OSError:
            continue
    return sorted(candidate for candidate in found if _is_below(candidate, pid, parents))


def _is_below(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    while pid in parents:
        pid = parents[pid]
        if pid == ancestor:
            return True
    return False
