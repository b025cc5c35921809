"""A mail in a real browser: nothing is wider than the window, Arabic runs from right to left."""

import subprocess
from pathlib import Path

import pytest

from alerts.mail import mail_html
from alerts.render import message
from rasid.preview import MANNERS, samples

MEASURE = """<script>
  const cells = [...document.querySelectorAll("td.ink")];
  document.title = [document.documentElement.scrollWidth <= innerWidth,
    cells.map(cell => getComputedStyle(cell).direction)[0],
    getComputedStyle(document.body).backgroundColor].join("|");
</script></body>"""


@pytest.mark.external
@pytest.mark.parametrize(("scheme", "ground"), [(0, "rgb(20, 23, 26)"), (1, "rgb(242, 244, 246)")])
@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("name", ["opened", "corrected", "digest"])
def test_a_mail_fits_the_window_in_both_themes(
    chromium: str, tmp_path: Path, name: str, width: int, scheme: int, ground: str
) -> None:
    page = tmp_path / "mail.html"
    shown = message(samples()[name], MANNERS["en"])
    page.write_text(mail_html(shown).replace("</body>", MEASURE), "utf-8")
    dom = subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--blink-settings=preferredColorScheme={scheme}", "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    title = dom.partition("<title>")[2].partition("</title>")[0]
    assert title == f"true|rtl|{ground}"
