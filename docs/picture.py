"""Take the picture of a report for README.md: `python docs/picture.py results/report.html`."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

PICTURE = Path(__file__).parent / "images" / "report.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SIZE = (1300, 900)  # pixels
MOST_BYTES = 150_000


def take_picture(report: Path, picture: Path) -> None:
    """Write the first screen of a report as a small PNG."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"The picture needs one of {', '.join(BROWSERS)} on the path.")
    with tempfile.TemporaryDirectory() as folder:
        screen = Path(folder) / "screen.png"
        command = [browser, "--headless", "--no-sandbox", "--hide-scrollbars"]
        command += [f"--user-data-dir={folder}", f"--window-size={SIZE[0]},{SIZE[1]}"]
        command += [f"--screenshot={screen}", report.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        image = Image.open(screen).convert("RGB")
    for colors in (128, 64, 32):
        image.quantize(colors).save(picture, optimize=True)
        if picture.stat().st_size <= MOST_BYTES:
            return
    raise SystemExit(f"{picture} has over {MOST_BYTES} bytes.")


if __name__ == "__main__":
    take_picture(Path(sys.argv[1]), PICTURE)
    print(f"{PICTURE}: {PICTURE.stat().st_size} bytes")
