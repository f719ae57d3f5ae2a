"""The page in a real browser: nothing asked of the network, nothing wrong on the console, search and sort that work."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from allocopt.runs import Run

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine: structure is tested without it")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=15000",
    "--enable-logging=stderr",
]

ASK = """
<script>
window.addEventListener("load", () => setTimeout(() => {
  const rows = () => Array.from(document.querySelectorAll("#places-table tbody tr"));
  const cell = (row, at) => row.cells[at].textContent;
  const heads = Array.from(document.querySelectorAll("#places-table thead button"));
  const head = (text) => heads.find((one) => one.textContent === text);
  const said = {};
  said.drawn = document.querySelectorAll(".chart .main-svg").length;
  said.charts = document.querySelectorAll(".chart").length;
  said.marks = document.querySelectorAll("svg.map circle[data-i]").length;
  said.standing = rows().length;
  const search = document.getElementById("search");
  search.value = "SEARCHED"; search.dispatchEvent(new Event("input"));
  said.found = rows().map(row => cell(row, 0));
  said.count = document.getElementById("count").textContent;
  search.value = ""; search.dispatchEvent(new Event("input"));
  const sort = head("population");
  if (sort) { sort.click(); said.down = rows().slice(0, 3).map(row => cell(row, 0)); sort.click();
    said.up = rows().slice(0, 3).map(row => cell(row, 0)); said.state = sort.closest("th").getAttribute("aria-sort"); }
  const mark = document.querySelector("svg.map circle[data-i='0']");
  if (mark) { mark.dispatchEvent(new PointerEvent("pointerover", {bubbles: true}));
    said.card = document.querySelector(".card").textContent; }
  said.requests = performance.getEntriesByType("resource").map(one => one.name);
  const out = document.createElement("pre"); out.id = "said"; out.textContent = JSON.stringify(said);
  document.body.append(out);
}, 1500));
</script></body>
"""


def asked(page: Path, folder: Path, search: str) -> tuple[dict, str]:
    """What the page answers to the script above, and what the browser logged."""
    copy = folder / "asked.html"
    text = page.read_text(encoding="utf-8")
    assert text.count("</body>") == 1
    copy.write_text(text.replace("</body>", ASK.replace("SEARCHED", search)), encoding="utf-8")
    words = [str(BROWSER), *OPTIONS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", copy.as_uri()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=180, check=True)
    found = re.search(r'<pre id="said">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    return json.loads(found[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")), done.stderr


@pytest.fixture(scope="module")
def answers(national: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, str]:
    return asked(Path(str(national.folder)) / "report.html", tmp_path_factory.mktemp("browser"), "whinfield")


def test_every_figure_is_drawn(answers):
    said, _ = answers
    assert said["charts"] >= 8
    assert said["drawn"] >= said["charts"]
    assert said["marks"] > 7325


def test_the_console_is_silent_and_the_network_is_never_asked(answers):
    said, log = answers
    assert [line for line in log.splitlines() if ":CONSOLE:" in line or "CONSOLE(" in line] == []
    assert said["requests"] == []


def test_search_finds_a_place_among_all_of_them(answers):
    said, _ = answers
    assert said["standing"] == 40
    assert said["found"] == ["A83005"]
    assert said["count"] == "1 place, 1 shown"


def test_headings_sort_every_place_both_ways(answers, national):
    said, _ = answers
    ordered = national.allocations.sort_values("population", kind="stable")
    assert said["up"] == ordered["place"].head(3).tolist()
    most = national.allocations.nlargest(3, "population")["place"].tolist()
    assert said["down"] == most
    assert said["state"] == "ascending"


def test_a_mark_on_the_map_shows_the_figures_of_its_place(answers, national):
    said, _ = answers
    first = national.allocations.iloc[0]
    assert first["place"] in said["card"]
    assert f"£{first['allocation_gbp']:,}" in said["card"]


def test_a_page_without_a_map_works_too(small, tmp_path):
    said, log = asked(Path(str(small.folder)) / "report.html", tmp_path, "D4")
    assert said["found"] == ["D4"]
    assert "CONSOLE" not in log
