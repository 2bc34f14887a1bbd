"""Take the pictures of the page in docs/images: in both themes, on a desktop and on a phone.

Usage: uv run python tools/screenshots.py [--exports exports] [--model cnn]

It needs a bundle of that model (`make`), the built page (`make setup`) and a Chromium.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.runtimes.chromium import find_browser, launch_flags, sandboxed  # noqa: E402

IMAGES = ROOT / "docs" / "images"
DESKTOP, PHONE = {"width": 1240, "height": 900}, {"width": 390, "height": 844}
# A three, in shares of the surface.
STROKE = (
    (0.32, 0.22), (0.42, 0.15), (0.56, 0.15), (0.66, 0.23), (0.65, 0.35), (0.55, 0.44), (0.45, 0.46), (0.57, 0.48),
    (0.68, 0.57), (0.68, 0.71), (0.58, 0.82), (0.43, 0.84), (0.31, 0.77),
)  # fmt: skip
PATIENCE_MS = 240_000


def _draw(page: Page) -> None:
    surface = page.get_by_role("application", name="Drawing surface")
    surface.scroll_into_view_if_needed()
    box = surface.bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in STROKE]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()


def _visit(browser: Browser, address: str, theme: str, size: dict[str, int], names: tuple[str, str | None]) -> None:
    page = browser.new_page(viewport=size, color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.wait_for_selector('.answers[data-finished="true"]')
    _draw(page)
    page.get_by_text("from the others").first.wait_for()
    page.wait_for_selector('.answers[data-finished="true"]')
    page.evaluate("scrollTo(0, 0)")
    drawn, checked = names
    if checked is None:
        page.set_viewport_size({**size, "height": 1180})
        page.locator(".input").evaluate("panel => panel.scrollIntoView()")
        page.screenshot(path=IMAGES / drawn)
    else:
        bench = page.locator(".bench").bounding_box()
        assert bench is not None
        clip = {"x": 0, "y": 0, "width": size["width"], "height": bench["y"] + bench["height"] + 12}
        page.screenshot(path=IMAGES / drawn, full_page=True, clip=clip)  # type: ignore[arg-type]
        page.get_by_role("button", name="Check this device").click()
        page.wait_for_selector('.check[data-finished="true"]')
        page.locator(".check").screenshot(path=IMAGES / checked)
    page.context.close()


def main() -> int:
    """Take them all; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exports", type=Path, default=ROOT / "exports")
    parser.add_argument("--model", default="cnn")
    given = parser.parse_args()
    IMAGES.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "serving", str(given.exports), "--web", "--no-grpc", "--rest-port", "0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert server.stderr is not None
    try:
        address = next(json.loads(line)["address"] for line in server.stderr if '"listening"' in line)
        for line in server.stderr:
            if "in a browser" in line:  # the models are loaded
                break
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=str(find_browser().path),
                args=list(launch_flags("webgpu")),
                chromium_sandbox=sandboxed(),
            )
            address = f"{address}/#/{given.model}/1"
            _visit(browser, address, "light", DESKTOP, ("page-light.png", "page-check-light.png"))
            _visit(browser, address, "dark", DESKTOP, ("page-dark.png", "page-check-dark.png"))
            _visit(browser, address, "light", PHONE, ("page-phone-light.png", None))
            _visit(browser, address, "dark", PHONE, ("page-phone-dark.png", None))
            browser.close()
    finally:
        server.terminate()
        server.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
