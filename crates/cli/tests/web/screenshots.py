"""Makes docs/web-dark.png and docs/web-light.png: the page of the demo's team at work. `scripts/picture-web` runs it."""

import tempfile
from pathlib import Path

from conftest import CHROMIUM, Team, environment, until
from playwright.sync_api import sync_playwright

DOCS = Path(__file__).parents[4] / "docs"
MOST_BYTES = 250_000

# Shots are taken when the page shows what it is about.
AT_WORK = "() => document.querySelectorAll('.agent.d-working, .agent.d-waiting_for_model').length >= 4 && [...document.querySelectorAll('.agent .last')].filter((last) => last.children.length >= 4).length >= 5"
HALF_DONE = (
    "() => [...document.querySelectorAll('.legend b')].some((many) => many.textContent >= 6 && many.parentNode.textContent.includes('completed'))"
    " && document.querySelector('.bar-of.e-under_way') && document.querySelector('#panel .facts')"
)


def main():
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        team = Team(Path(folder))
        place = team.home / "text-tools"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], env=environment(team.home))
        try:
            demo = team.begin("demo", "--dir", str(place))
            until((place / ".agent-team" / "log.jsonl").exists, "the demo's team")
            address = team.web("--team", str(place))

            def opened(scheme, view):
                page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
                page.goto(address)
                page.evaluate("view => { location.hash = view; }", view)
                return page

            for scheme, page, when in (
                ("light", opened("light", "#/agents"), AT_WORK),
                ("dark", opened("dark", "#/timeline/task/uniq"), HALF_DONE),
            ):
                page.wait_for_function(when, polling="raf")
                picture = DOCS / f"web-{scheme}.png"
                page.screenshot(path=picture)
                size = picture.stat().st_size
                print(f"docs/{picture.name}: {size} bytes")
                assert size < MOST_BYTES
            demo.wait(60)
        finally:
            browser.close()
            team.end()


main()
