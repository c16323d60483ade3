"""The page in a real browser, where one is installed."""

import html
import json
import re
import subprocess

import pytest
from reportable import HOSTILE, put_corpus, report

OPTIONS = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --allow-file-access-from-files --dump-dom"
# A window has no less than 500 pixels, a frame in it may have.
LOOK = """<!DOCTYPE html><body><iframe src="PAGE" width="WIDTH" height="900" style="border:0"></iframe><script>
"use strict";
const frame = document.querySelector("iframe");
frame.addEventListener("load", () => {
  const view = frame.contentWindow, page = frame.contentDocument, all = (s) => Array.from(page.querySelectorAll(s));
  const wide = all("main *").filter((e) => e.offsetParent && e.getBoundingClientRect().right > view.innerWidth + 1
    && !e.closest(".scroll, .matrix, pre, svg"));
  const agree = (name) => all("[data-sets]").every((e) => e.hidden !== e.dataset.sets.split(" ").includes(name));
  const sets = all(".switch input").map((input) => { input.click(); return agree(input.value); });
  const files = () => all("#failures tbody tr").map((row) => row.cells[0].textContent);
  const sort = () => { page.querySelector("#failures th button").click(); return files(); };
  document.body.dataset.found = JSON.stringify({
    name: page.querySelector("h1").textContent, title: page.title,
    width: view.innerWidth, overflow: page.documentElement.scrollWidth - view.innerWidth,
    wide: wide.map((e) => e.outerHTML.slice(0, 80)), sets, sorted: [sort(), sort()],
    images: page.images.length, empty: Array.from(page.images).filter((image) => !image.naturalWidth).length,
    dark: view.matchMedia("(prefers-color-scheme: dark)").matches,
    background: view.getComputedStyle(page.body).backgroundColor,
    sections: all("section[id]").filter((e) => e.offsetHeight > 40).length,
    charts: all(".chart svg").filter((e) => e.getBoundingClientRect().width > 100).length,
  });
});
</script></body>"""


@pytest.fixture(scope="module")
def page(chromium, tmp_path_factory):
    return report(put_corpus(tmp_path_factory.mktemp("browser") / ("films" * 12), name=HOSTILE + "long-" * 60))


def look(chromium, page, folder, width, scheme):
    """What a browser found, and what it wrote to its console."""
    outer = folder / "look.html"
    outer.write_text(LOOK.replace("PAGE", page.as_uri()).replace("WIDTH", str(width)))
    options = [f"--user-data-dir={folder}/profile", "--window-size=1500,900", "--enable-logging=stderr"]
    options.append(f"--blink-settings=preferredColorScheme={('dark', 'light').index(scheme)}")
    command = [chromium, *OPTIONS.split(), *options, outer.as_uri()]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    told = re.search(r'data-found="([^"]*)"', run.stdout)
    assert told, run.stderr[-2000:]
    return json.loads(html.unescape(told[1])), [line for line in run.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1440, "dark")])
def test_the_page_in_a_browser(chromium, page, tmp_path, width, scheme):
    found, console = look(chromium, page, tmp_path, width, scheme)
    assert console == [] and found["name"] == "films" * 12 and found["title"].startswith("films")
    assert found["width"] == width and found["overflow"] <= 0 and found["wide"] == []
    assert found["images"] > 40 and found["empty"] == 0 and found["charts"] >= 2
    assert found["sections"] == 9 and found["sets"] == [True, True]
    assert len(found["sorted"][0]) == 2 and found["sorted"][0] == found["sorted"][1][::-1]
    assert found["dark"] == (scheme == "dark") and (found["background"] == "rgb(18, 20, 24)") == (scheme == "dark")


def test_the_browser_tells_of_errors(chromium, page, tmp_path):
    """Else the test above could not fail."""
    spoilt = tmp_path / "spoilt.html"
    text = page.read_text().replace(
        "</main>", '<img src="http://127.0.0.1:1/x.png"><p style="width:2000px">x</p></main>'
    )
    spoilt.write_text(text)
    found, console = look(chromium, spoilt, tmp_path, 390, "light")
    assert found["overflow"] > 1000 and found["empty"] == 1 and "Content Security Policy" in console[0]
