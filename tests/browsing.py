"""A browser for the tests of pages, and what a page does that it should not."""

import shutil
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Tab:
    """A page of the browser, and everything it did that it should not."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda message: self._note("console", message.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        page.on("dialog", self._dismiss)
        page.on("request", self._request)

    def _note(self, kind: str, text: str) -> None:
        self.complaints.append(f"{kind}: {text[:300]}")

    def _dismiss(self, dialog: Any) -> None:
        self._note("dialog", dialog.message)
        dialog.dismiss()

    def _request(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            self._note("request", request.url)

    def open(self, path: Path) -> Any:
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready=yes]", state="attached")
        return self.page

    def download(self, selector: str) -> bytes:
        with self.page.expect_download() as found:
            self.page.locator(selector).first.click()
        return Path(found.value.path()).read_bytes()


def drawings(page: Any) -> dict[str, int]:
    """Number of drawn marks per figure."""
    return page.evaluate(
        """() => {
            const marks = ["path", "text", "line"].map((tag) => `.canvas .role-mark ${tag}`).join();
            return Object.fromEntries([...document.querySelectorAll("[data-figure]")].map(
                (figure) => [figure.dataset.figure, figure.querySelectorAll(marks).length]));
        }"""
    )
