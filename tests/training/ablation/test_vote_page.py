"""The page in a real browser, where one is installed: keys, clicks, phones, colours."""

import threading

import pytest
from ablated import CAPTIONS, put_ablation
from chromium import Chromium

from training.ablation.booth import Booth
from training.ablation.matches import find_matches, find_trials
from training.ablation.server import VoteServer
from training.ablation.votes import read_votes

READY = "document.body?.dataset.ready"
OVERFLOW = "document.documentElement.scrollWidth - innerWidth"


@pytest.fixture(scope="module")
def browser(chromium, tmp_path_factory):
    with Chromium(chromium, tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def server(browser, tmp_path):
    out = put_ablation(tmp_path, ("raw", "full"), (0, 1))
    with VoteServer(Booth(find_matches(find_trials(out)), out / "votes", "ann"), 0) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        browser.events.clear()
        browser.call("Page.navigate", url=server.url)
        yield server
        server.shutdown()


def next_match(browser, last):
    """Waits for another match than the last one."""
    return browser.wait(f"({READY} !== {last!r}) && {READY}")


def outcomes(tmp_path):
    return read_votes(tmp_path / "votes").column("outcome").to_pylist()


def test_voting_with_keys_and_clicks(browser, server, tmp_path):
    token = browser.wait(READY)
    caption = browser.evaluate("document.querySelector('#caption').textContent")
    assert caption in CAPTIONS  # with its marks as they are
    labels = browser.evaluate("[...document.querySelectorAll('video')].map(v => v.getAttribute('aria-label'))")
    assert labels == [f"Video A: {caption}", f"Video B: {caption}"]
    assert browser.evaluate("document.querySelector('#undo').disabled")
    for key, expected in (("a", "first"), ("b", "second"), ("t", "tie")):
        browser.press(key)
        token = next_match(browser, token)
        assert outcomes(tmp_path)[-1] == expected
    browser.press("u")
    token = next_match(browser, token)
    assert outcomes(tmp_path) == ["first", "second"]
    for choice in ("b", "tie"):
        browser.evaluate(f"document.querySelector('[data-choice={choice}]').click()")
        token = next_match(browser, token)
    assert outcomes(tmp_path) == ["first", "second", "second", "tie"]
    assert browser.evaluate("document.querySelector('#count').textContent") == "4 given now, 4 in all, on 4 pairs"
    browser.call("Page.reload")
    browser.wait(f"document.querySelector('#count')?.textContent.startsWith('4 given now') && {READY} === {token!r}")
    assert browser.complaints() == []


def test_both_videos_play_in_a_loop_from_the_same_moment(browser, server):
    browser.wait(READY)
    seen = "[...document.querySelectorAll('video')].map(v => [v.paused, v.loop, v.muted, v.playsInline])"
    assert (
        browser.wait(f"(([a, b]) => !a[0] && !b[0])({seen})")
        and browser.evaluate(seen) == [[False, True, True, True]] * 2
    )
    browser.evaluate("window.turns = 0; document.querySelector('video').addEventListener('seeked', () => turns++)")
    assert browser.wait("turns >= 2")  # half a second each
    times = "[...document.querySelectorAll('video')].map(v => v.currentTime)"
    assert browser.wait(f"(([a, b]) => Math.abs(a - b) < 0.2)({times})")


def test_a_video_that_does_not_play_is_told_and_skipped(browser, server, tmp_path):
    token = browser.wait(READY)
    for path in tmp_path.rglob("*.mp4"):
        path.write_bytes(b"damaged")
    browser.press("a")
    browser.wait("document.querySelector('#alarm').textContent.includes('does not play: skip this pair')")
    assert browser.evaluate("document.querySelector('[data-choice=a]').disabled")
    browser.press("a")
    assert outcomes(tmp_path) == ["first"]
    for _ in range(4):
        browser.wait("!document.querySelector('#skip').disabled || !match")
        browser.press("s")
    browser.wait("document.querySelector('#caption').textContent === 'No pair is left to compare.'")
    assert outcomes(tmp_path) == ["first"] and token


def test_a_server_that_has_ended_is_told(browser, server):
    browser.wait(READY)
    browser.evaluate("window.fetch = () => Promise.reject(new TypeError('Failed to fetch'))")
    browser.press("a")
    browser.wait("document.querySelector('#alarm').textContent.startsWith('Failed to fetch. Reload this page')")


def test_the_browser_tells_of_errors(browser, server):
    """Else an empty list of complaints would say nothing."""
    browser.wait(READY)
    browser.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:1/x.png'}))")
    browser.evaluate("setTimeout(() => { throw new Error('spoilt'); })")
    browser.evaluate("setTimeout(() => { window.late = true; }, 200)")
    browser.wait("window.late")
    told = str(browser.complaints())
    assert "Content Security Policy" in told and "spoilt" in told


@pytest.mark.parametrize(("width", "height", "dark"), [(360, 740, True), (360, 740, False), (1280, 800, False)])
def test_it_fits_the_screen(browser, server, tmp_path, width, height, dark):
    browser.screen(width, height, dark, mobile=width < 500)
    browser.call("Page.reload")
    browser.wait(READY)
    assert browser.evaluate("innerWidth") == width and browser.evaluate(OVERFLOW) <= 0
    colour = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == ("rgb(18, 20, 24)" if dark else "rgb(246, 246, 243)")
    buttons = "[...document.querySelectorAll('[data-choice]')].map(b => b.getBoundingClientRect())"
    assert browser.evaluate(f"{buttons}.every(r => r.height >= 44 && r.bottom <= innerHeight && r.width >= 100)")
    tops = browser.evaluate("[...document.querySelectorAll('video')].map(v => v.getBoundingClientRect().top)")
    assert tops[0] == tops[1]  # side by side, on phones too
    browser.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 2000
