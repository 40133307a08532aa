"""In a browser, a report runs its own scripts and nothing else."""

from __future__ import annotations

import http.server
import shutil
import threading

import pytest
from tests import nets, small_probe_set

import netdissect as nd

pytestmark = pytest.mark.browser

NASTY = "<script>alert(1)<!script><img src=x onerror=alert(2)>\"'&`"


@pytest.fixture
def elsewhere():
    """A server that records the requests it gets."""
    hits = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            hits.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        server.hits = hits
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("page", ["html/index.html", "html/block2-conv.html", "report.html"])
def test_the_policy_stops_scripts_styles_and_requests_that_are_not_the_reports(browser, drawn, elsewhere, page):
    context = browser.new_context()
    opened = context.new_page()
    opened.goto((drawn[1] / page).as_uri())
    said = opened.evaluate(
        """async (elsewhere) => {
        const stopped = [];
        document.addEventListener("securitypolicyviolation", (event) => stopped.push(event.effectiveDirective));
        const script = document.createElement("script");
        script.textContent = "window.ran = true";
        document.body.append(script);
        const other = document.createElement("script");
        other.src = elsewhere + "/x.js";
        document.body.append(other);
        const handler = document.createElement("div");
        handler.setAttribute("onclick", "window.ran = true");
        document.body.append(handler);
        handler.click();
        const image = new Image();
        image.src = elsewhere + "/x.png";
        const frame = document.createElement("iframe");
        frame.src = elsewhere;
        document.body.append(frame);
        const form = document.createElement("form");
        form.action = elsewhere;
        document.body.append(form);
        form.submit();
        const fetched = await fetch(elsewhere + "/data").then(() => "fetched", () => "refused");
        const end = performance.now() + 20000; // a busy browser reports late
        do await new Promise((done) => setTimeout(done, 300));
        while (new Set(stopped).size < 6 && performance.now() < end);
        return { stopped: [...new Set(stopped)].sort(), ran: window.ran === true, fetched };
    }""",
        elsewhere.url,
    )
    context.close()
    assert not said["ran"]
    assert said["fetched"] == "refused"
    wanted = {"connect-src", "form-action", "frame-src", "img-src", "script-src-attr", "script-src-elem"}
    assert wanted <= set(said["stopped"])
    assert elsewhere.hits == []


def test_a_real_run_over_names_with_markup_shows_them_as_text(visiting, tmp_path):
    data = small_probe_set.write_probe_set(tmp_path / "set <b>ü 名</b>", images=6)
    for table in ("label.csv", "c_object.csv"):
        path = data / table
        path.write_text(path.read_text().replace("tree", '"' + NASTY.replace('"', '""') + '"'))
    nasty_image = f"a/{NASTY} 3.jpg"
    shutil.move(data / "images/a/image 3.jpg", data / "images" / nasty_image)
    index = data / "index.csv"
    index.write_text(index.read_text().replace("a/image 3.jpg", '"' + nasty_image.replace('"', '""') + '"'))
    result = nd.dissect(nets.make_small_net(), ["conv2"], data, quantile=0.1, images_per_unit=6, out=tmp_path / "r <i>")
    assert NASTY in result["conv2"].vocabulary.names
    result.write_report(tmp_path / "r <i>", single_file=True)
    for page in ("html/index.html", "report.html"):
        visit = visiting()
        visit.page.on("dialog", lambda dialog, visit=visit: visit.wrong.append(dialog.message))
        visit.open(tmp_path / "r <i>" / page)
        visit.page.evaluate("netdissect.change({ cut: 0 })")
        visit.settle()
        for unit in range(8):
            visit.page.evaluate(f"netdissect.go({{ view: 'unit', unit: {unit} }})")
            visit.page.wait_for_selector(".profile tbody tr")
        concept = result["conv2"].vocabulary.names.index(NASTY)
        visit.page.evaluate(f"netdissect.go({{ view: 'concept', concept: {concept} }})")
        visit.page.wait_for_selector(".plot canvas")
        assert "onerror=alert(2)" in visit.text("#page h1")
        assert visit.page.locator("img[src=x]").count() == 0
