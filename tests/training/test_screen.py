"""What is said while a stage trains: lines now and then on a file, a bar on a terminal."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from training import screen as module
from training.screen import Screen


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(s=100.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now.s))
    return now


def screen_on(terminal=False):
    file = io.StringIO()
    console = Console(
        file=file, highlight=False, soft_wrap=True, force_terminal=terminal, width=200 if terminal else 40
    )
    return Screen(console), file.getvalue


def test_every_look_is_a_line_with_counts_when_time_is_up(monkeypatch, clock):
    monkeypatch.setattr(module, "LINE_EVERY_S", -1.0)
    screen, written = screen_on()
    screen.begin("stage 2", 12000, 4000)
    assert written() == ""
    clock.s += 100.0
    screen.follow(4800, "loss 0.5000")  # 8 a second
    screen.follow(12000, "loss 0.4000")
    lines = [
        "stage 2: 4,800 of 12,000 samples, loss 0.5000, 0:15:00 left",
        "stage 2: 12,000 of 12,000 samples, loss 0.4000, 0:00:00 left",
    ]
    assert written().splitlines() == lines
    screen.end()
    screen.end()
    assert written().splitlines() == lines


def test_lines_keep_their_distance(clock):
    screen, written = screen_on()
    screen.begin("stage 1", 100, 0)
    said = []
    for second in range(41):
        clock.s = 100.0 + second
        screen.follow(second, "x")
        said += [second] if len(written().splitlines()) > len(said) else []
    assert said == [16, 32]


def test_what_is_said_is_written_as_it_is():
    screen, written = screen_on()
    text = f"a path [bold]{'x' * 100}[/bold] 12.5"
    screen.say(text)
    assert written() == text + "\n"


def test_on_a_terminal_there_is_a_bar_until_the_end(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(module, "LINE_EVERY_S", -1.0)
    screen, written = screen_on(terminal=True)
    screen.begin("stage 3", 1000, 250)
    screen.follow(500, "loss 0.5000")
    screen.end()
    shown = written()
    assert "stage 3" in shown and "500 of 1,000 samples, loss 0.5000" in shown
    assert "stage 3: " not in shown  # no lines beside the bar
    assert shown.endswith("\x1b[?25h")  # the cursor is back
    screen.end()
    assert written() == shown
