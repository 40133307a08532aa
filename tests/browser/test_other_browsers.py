"""The report in Firefox, driven by Marionette, and in WebKit (WebKitGTK), driven by WebDriver."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),  # of the drivers
]

#: Seconds until a browser has started, or a page is drawn, on a busy machine.
PATIENCE = 60
#: Collects what goes wrong from now on.
WATCH = """
window.wrong = [];
window.addEventListener("error", (event) => window.wrong.push(event.message));
window.addEventListener("unhandledrejection", (event) => window.wrong.push(String(event.reason)));
document.addEventListener("securitypolicyviolation", (event) => window.wrong.push(event.violatedDirective));
return [...netdissect.pages.keys()].map((view) => netdissect.makeAddress({ view, image: 0 }));
"""


class Firefox:
    """Firefox without a window."""

    def __init__(self):
        driver = pytest.importorskip("marionette_driver.marionette", reason="marionette_driver is not installed")
        program = shutil.which("firefox-esr") or shutil.which("firefox")
        if program is None:
            pytest.skip("Firefox is not installed")
        self._profile = tempfile.TemporaryDirectory()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        Path(self._profile.name, "user.js").write_text(f'user_pref("marionette.port", {port});\n')
        command = [program, "--headless", "--marionette", "--no-remote", "--profile", self._profile.name]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._driver = driver.Marionette(host="127.0.0.1", port=port, startup_timeout=PATIENCE)
        self._driver.raise_for_port(timeout=PATIENCE)
        self._driver.start_session()
        self._driver.set_window_rect(width=1280, height=900)
        self.open = self._driver.navigate

    def run(self, script):
        """Run a script in the page, and return what it returns."""
        return self._driver.execute_script(script, sandbox=None)

    def close(self):
        """End the browser."""
        self._driver.delete_session()
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._profile.cleanup()


class WebKit:
    """WebKit in a window of a screen that nobody sees."""

    def __init__(self):
        webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
        from selenium.webdriver.webkitgtk.options import Options
        from selenium.webdriver.webkitgtk.service import Service

        browsers = sorted(map(str, Path("/usr/lib").glob("*/webkit2gtk-4*/MiniBrowser")))
        if not (browsers and shutil.which("WebKitWebDriver") and shutil.which("Xvfb")):
            pytest.skip("WebKitGTK, its driver or Xvfb is not installed")
        reader, writer = os.pipe()
        command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1400x1000x24"]
        self._screen = subprocess.Popen(command, pass_fds=(writer,), stderr=subprocess.DEVNULL)
        os.close(writer)
        with os.fdopen(reader) as numbers:
            display = f":{numbers.readline().strip()}"
        options = Options()
        options.binary_location = browsers[-1]
        options.add_argument("--automation")
        service = Service(shutil.which("WebKitWebDriver"), env={**os.environ, "DISPLAY": display})
        self._driver = webdriver.WebKitGTK(options=options, service=service)
        self.open = self._driver.get
        self.run = self._driver.execute_script

    def close(self):
        """End the browser and its screen."""
        self._driver.quit()
        self._screen.terminate()
        self._screen.wait(PATIENCE)


@pytest.fixture(scope="module", params=[Firefox, WebKit], ids=["firefox", "webkit"])
def browser_window(request):
    window = request.param()
    yield window
    window.close()


def wait_for(window, script):
    """Wait until a script returns something true, and return it."""
    end = time.monotonic() + PATIENCE
    while not (found := window.run(script)):
        assert time.monotonic() < end, f"still not so: {script}"
        time.sleep(0.1)
    return found


def open_report(window, path):
    window.open("about:blank")
    window.open(path.resolve().as_uri())
    wait_for(window, "return document.documentElement.classList.contains('running')")


@pytest.mark.parametrize("file", ["html/index.html", "report.html"])
def test_every_page_opens_without_an_error(browser_window, trusted, file):
    result, folder = trusted
    open_report(browser_window, folder / file)
    addresses = browser_window.run(WATCH)
    assert len(addresses) > 4
    for address in addresses:
        browser_window.run(f"location.hash = {address!r}")
        view = address.split("/")[1].split("?")[0] or "network"
        wait_for(browser_window, f"return netdissect.state.view === {view!r}")
        heading = (
            "const h = [...document.querySelectorAll('h1')].find((h) => h.offsetParent); return h ? h.textContent : ''"
        )
        assert wait_for(browser_window, heading)
        time.sleep(0.3)  # data files of the page
        assert browser_window.run("return document.getElementById('missing').hidden")
    assert browser_window.run("return window.wrong") == []
    assert result.network.name in browser_window.run("return document.title")


def test_cards_have_images_and_masks(browser_window, drawn):
    result, folder = drawn
    open_report(browser_window, folder / "html/index.html")
    browser_window.run("location.hash = netdissect.makeAddress({ view: 'layer', layer: 1 })")
    wait_for(browser_window, "return document.querySelectorAll('#cards .card').length > 3")
    wait_for(browser_window, "const c = document.querySelector('#cards canvas.masks'); return c && c.width > 100")
    assert wait_for(
        browser_window, "return [...document.querySelectorAll('#cards img')].every((i) => i.naturalWidth > 0)"
    )
    count = browser_window.run("return document.getElementById('n-units').textContent")
    assert count == str(list(result.layers.values())[1].layer.units)
