"""The page in a real browser, inside Airflow's own UI, as a user who may only look.

Screenshots go to the folder that ``LIGHTFIELD_SCREENSHOTS`` names, if it is set.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest

from tests.page.airflow_server import DAG_ID, PASSWORDS, RunRow, airflow_server
from tests.page.make_run import Recipe, make_run, volume

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install -e .[dev])")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium (Debian: apt-get install chromium)"),
]
# The sandbox needs rights that containers do not have; the rest keeps the browser from talking to anybody else.
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
MORE_FLAGS = ("--disable-component-update", "--disable-sync")
SHAPE = (200, 51, 512, 512)
DATASET = "/data/<img src=x onerror=alert(1)> fish & chips"
PATIENCE_MS = 60_000
FIRST_PICTURE_S = 2.0
"""What a reader should wait on a machine that does nothing else; here the test's machine is given three times that."""


@pytest.fixture(scope="module")
def airflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Airflow with three runs: under way on a large volume, finished, and just begun."""
    home = tmp_path_factory.mktemp("browser")
    make_run(str(home / "large"), Recipe(shape=SHAPE, done=40, dataset=DATASET))
    make_run(str(home / "small"), Recipe(finished=True, dataset=DATASET))
    rows = [
        RunRow("large", "running", {"dataset": DATASET, "run": str(home / "large")}),
        RunRow("small", "success", {"dataset": DATASET, "run": str(home / "small")}),
        RunRow("begun", "running", {"dataset": DATASET, "run": str(home / "begun")}),
    ]
    with airflow_server(home, rows) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    """One browser for all tests; each test has a profile of its own."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *MORE_FLAGS])
        yield browser
        browser.close()


class Visit:
    """A logged-in user's window; it remembers what must not happen."""

    def __init__(self, browser: sync_api.Browser, url: str, scheme: str = "light") -> None:
        self.url = url
        context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
        context.set_default_timeout(PATIENCE_MS)
        self.window = context.new_page()
        self.dialogs: list[str] = []
        self.errors: list[str] = []
        self.requests: list[tuple[str, str]] = []
        self.window.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        self.window.on("pageerror", lambda error: self.errors.append(str(error)))
        self.window.on("console", self._remember)
        self.window.on("request", lambda request: self.requests.append((request.method, request.url)))

    def _remember(self, message: sync_api.ConsoleMessage) -> None:
        if message.type == "error" and "/lightfield/" in message.location.get("url", ""):
            self.errors.append(message.text)

    def log_in(self, user: str = "eve") -> None:
        """Through Airflow's form."""
        self.window.goto(self.url)
        self.window.fill("input[name=username]", user)
        self.window.fill("input[name=password]", PASSWORDS[user])
        self.window.keyboard.press("Enter")
        self.window.wait_for_url(lambda url: "login" not in url)

    def open_tab(self, run_id: str) -> sync_api.Frame:
        """The "Light field" tab of a run in Airflow's UI."""
        self.window.goto(f"{self.url}/dags/{DAG_ID}/runs/{run_id}")
        self.window.locator("a[href$='/plugin/lightfield-run']").click()
        return self._frame("/lightfield/run")

    def _frame(self, path: str) -> sync_api.Frame:
        # Airflow's UI may put its frame there anew while it is being filled.
        for _ in range(PATIENCE_MS // 100):
            for frame in self.window.frames[1:]:
                if path in frame.url:
                    return frame
            self.window.wait_for_timeout(100)
        raise AssertionError(f"no frame of {path} in {self.window.url}")

    def open_alone(self, run_id: str) -> sync_api.Frame:
        """The page of a run without Airflow around it."""
        self.window.goto(f"{self.url}/lightfield/run?{urlencode({'dag_id': DAG_ID, 'run_id': run_id})}")
        return self.window.main_frame

    def pictures_asked(self) -> int:
        """How many pictures were asked for so far."""
        return sum("/lightfield/api/slice" in url or "/lightfield/api/projection" in url for _, url in self.requests)

    def keep(self, name: str) -> None:
        """A screenshot for people."""
        if folder := os.environ.get("LIGHTFIELD_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.window.screenshot(path=Path(folder) / f"{name}.png")


@pytest.fixture
def visit(browser: sync_api.Browser, airflow_url: str) -> Iterator[Visit]:
    """The window of ``eve``, a viewer; whatever a test does in it, no script of a run has run and none has failed."""
    visit = Visit(browser, airflow_url)
    visit.log_in()
    yield visit
    assert visit.dialogs == []
    assert visit.errors == []
    methods = {method for method, url in visit.requests if "/lightfield/" in url}
    assert methods <= {"GET"}
    visit.window.context.close()


def shown(frame: sync_api.Frame, panel: str = "xy") -> np.ndarray:
    """What a panel shows: grey levels (rows, columns) in device pixels, -1 where the crosshair is."""
    script = """canvas => {
        const {data, width, height} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const grey = Array.from({length: width * height}, (_, place) =>
            data[4 * place] === data[4 * place + 2] ? data[4 * place] : -1);
        return {width, height, grey};
    }"""
    found = frame.locator(f"canvas[data-panel={panel}]").evaluate(script)
    return np.reshape(np.array(found["grey"], np.float64), (found["height"], found["width"]))


def wait_for_picture(frame: sync_api.Frame, *asked: str, panel: str = "xy") -> None:
    """Until a panel shows the picture whose address holds all that was asked."""
    holds = "".join(f'[data-shown*="{part}"]' for part in asked)
    frame.wait_for_selector(f"canvas[data-panel={panel}]{holds or '[data-shown]'}")
    frame.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def sameness(canvas: np.ndarray, image: np.ndarray) -> float:
    """Correlation of what a panel shows with an image (rows, columns) brought to the panel's size; 1 for the same.

    The edges hold the names of the axes and the scale bar.
    """
    rows = (np.arange(canvas.shape[0]) + 0.5) * image.shape[0] / canvas.shape[0]
    columns = (np.arange(canvas.shape[1]) + 0.5) * image.shape[1] / canvas.shape[1]
    nearest = image[np.ix_(rows.astype(int), columns.astype(int))]
    seen, edge = canvas >= 0, min(50, len(canvas) // 5)
    seen[:edge] = seen[-edge:] = False
    return float(np.corrcoef(canvas[seen], nearest[seen])[0, 1])


def test_first_picture_in_the_tab(visit: Visit) -> None:
    """The tab opens on the maximum projections of the first frame, each panel the right way round."""
    frame = visit.open_tab("large")
    for panel in ("xy", "zy", "xz"):
        wait_for_picture(frame, panel=panel)
    waited = frame.evaluate("performance.getEntriesByName('first picture')[0].startTime") / 1000
    print(f"first picture after {waited:.2f} s, target {FIRST_PICTURE_S} s")
    visit.keep("run-light")
    truth = volume(SHAPE[1:], 0)
    for panel, image in (("xy", truth.max(0)), ("zy", truth.max(2).T), ("xz", truth.max(1)[::-1])):
        right = sameness(shown(frame, panel), image)
        assert right > 0.6
        assert all(sameness(shown(frame, panel), wrong) < right - 0.3 for wrong in (image[::-1], image[:, ::-1]))
    assert waited < 3 * FIRST_PICTURE_S


def test_sliders_by_keyboard(visit: Visit) -> None:
    """The sliders of depth and time say where they are and show the plane and the frame."""
    frame = visit.open_tab("large")
    wait_for_picture(frame)
    frame.get_by_text("Slices", exact=True).click()
    wait_for_picture(frame, "slice", "index=25")
    depth = frame.get_by_label("Plane")
    assert depth.get_attribute("aria-valuetext") == "z = 0.0 um, plane 26 of 51"
    before = shown(frame)
    depth.focus()
    for _ in range(3):
        visit.window.keyboard.press("ArrowRight")
    wait_for_picture(frame, "index=28")
    visit.keep("slices-light")
    assert depth.get_attribute("aria-valuetext") == "z = 6.0 um, plane 29 of 51"
    frame.get_by_role("button", name="Auto").click()
    wait_for_picture(frame, "index=28")
    after = shown(frame)
    assert (before != after).any()
    truth = volume(SHAPE[1:], 0)
    assert sameness(after, truth[28]) > 0.7
    time = frame.get_by_label("Frame", exact=True)
    time.focus()
    visit.window.keyboard.press("ArrowRight")
    wait_for_picture(frame, "t=1&", "index=28")
    assert time.get_attribute("aria-valuetext") == "1, t = 0.05 s (0 to 199)"
    assert sameness(shown(frame), volume(SHAPE[1:], 1)[28]) > sameness(shown(frame), truth[28])


def test_crosshair_moves_all_panels(visit: Visit) -> None:
    """Arrow keys on a panel move the crosshair, and the readout says the position and the value there."""
    frame = visit.open_alone("large")
    wait_for_picture(frame)
    frame.get_by_text("Slices", exact=True).click()
    wait_for_picture(frame, "slice", panel="zy")
    frame.locator("canvas[data-panel=xy]").focus()
    visit.window.keyboard.press("Shift+ArrowLeft")
    visit.window.keyboard.press("ArrowDown")
    visit.window.keyboard.press("PageUp")
    wait_for_picture(frame, "axis=x", "index=246", panel="zy")
    wait_for_picture(frame, "axis=y", "index=257", panel="xz")
    wait_for_picture(frame, "axis=z", "index=26")
    text = frame.locator(".readout").inner_text()
    found = re.fullmatch(r"x ([\d.]+) um +y ([\d.]+) um +z ([-\d.]+) um +value ([\d.e+-]+)", text)
    assert found, text
    x, y, z, value = map(float, found.groups())
    assert (x, y, z) == (pytest.approx(246 * 1.25, abs=0.06), pytest.approx(257 * 1.25, abs=0.06), 2.0)
    assert value == pytest.approx(volume(SHAPE[1:], 0)[26, 257, 246], rel=0.01, abs=0.02)


def test_contrast_asks_for_nothing(visit: Visit) -> None:
    """Contrast, gamma and colours change what is seen and need no request."""
    frame = visit.open_alone("small")
    wait_for_picture(frame, panel="xz")
    visit.window.wait_for_timeout(1500)
    asked, before = visit.pictures_asked(), shown(frame)
    frame.get_by_label("High").focus()
    visit.window.keyboard.press("Home")
    for _ in range(50):
        visit.window.keyboard.press("ArrowRight")
    wait_for_picture(frame)
    brighter = shown(frame)
    assert brighter.mean() > before.mean()
    frame.get_by_label("Gamma").focus()
    visit.window.keyboard.press("Home")
    wait_for_picture(frame)
    brightest = shown(frame)
    assert brightest.mean() > brighter.mean()
    frame.get_by_label("Colours").select_option("grey, inverted")
    wait_for_picture(frame)
    assert np.median(brightest + shown(frame)) == 255
    assert visit.pictures_asked() == asked


def test_frames_to_come(visit: Visit) -> None:
    """A frame that is not there is said to be so, and nothing is asked for it."""
    frame = visit.open_alone("large")
    wait_for_picture(frame)
    frame.get_by_label("Frame number").fill("120")
    visit.window.keyboard.press("Tab")
    frame.get_by_text("Frame 120 is not there: to come, or in quarantine.").wait_for()
    assert not any("t=120&" in url for _, url in visit.requests)
    assert frame.get_by_role("img", name="38 of 200 frames are there").count() == 1
    visit.keep("frame-to-come")


def test_hostile_words_are_words(visit: Visit) -> None:
    """Names and errors that are markup are shown as they are."""
    frame = visit.open_tab("large")
    frame.get_by_role("heading", name="<img src=x onerror=alert(1)> fish & chips").wait_for()
    frame.locator("#failures li", has_text='"><img src=x onerror=alert(2)>').wait_for()
    frame.locator("#quarantine td", has_text="<script>alert(1)</script>").first.wait_for()
    assert frame.locator("img:not([src^='picture/'])").count() == 0
    assert frame.locator("main script").count() == 0
    visit.window.goto(f"{visit.url}/plugin/lightfield")
    home = visit._frame("/lightfield/")
    home.get_by_role("link", name="<img src=x onerror=alert(1)> fish & chips").first.wait_for()
    home.get_by_text("38 / 200").wait_for()
    assert home.locator("img").count() == 0
    visit.keep("home-light")


def test_viewer_finds_nothing_to_press(visit: Visit) -> None:
    """All buttons look at the run differently; none changes it (that only GET leaves, every test checks)."""
    frame = visit.open_tab("large")
    wait_for_picture(frame)
    frame.locator("#quarantine tbody tr").first.wait_for()
    # Closed dialogs have buttons too.
    names = {" ".join(text.split()) for text in frame.locator("button").all_inner_texts()}
    assert names <= {"", "▶ Play", "Auto", "\u2212", "+", "Fit", "Keys (?)", "Close", "Previous", "Next"}
    assert frame.locator("form").count() == 0


def test_theme_follows_airflow(browser: sync_api.Browser, airflow_url: str) -> None:
    """Dark when Airflow is dark, and light again at once when it turns light."""
    visit = Visit(browser, airflow_url, scheme="dark")
    visit.log_in()
    frame = visit.open_tab("large")
    wait_for_picture(frame)
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = frame.evaluate(paper)
    visit.keep("run-dark")
    visit.window.evaluate("document.documentElement.classList.replace('dark', 'light')")
    frame.wait_for_selector("html[data-theme=light]")
    assert frame.evaluate(paper) != dark
    assert frame.evaluate(paper) == "rgb(255, 255, 255)"
    visit.window.context.close()


def test_run_that_has_just_begun(visit: Visit) -> None:
    """Nothing is there yet, and the page says what will come."""
    frame = visit.open_tab("begun")
    frame.get_by_text("No volume yet").wait_for()
    frame.get_by_text("The curve appears with the first reconstructed frame.").wait_for()
    visit.keep("begun-light")
    # The browser notes in its console that the volume is not there; this page has asked and been told.
    visit.errors[:] = [error for error in visit.errors if "404" not in error]


def test_finished_run_is_left_alone(visit: Visit) -> None:
    """When a run is over, the page shows all of it once and asks no more; its report opens in a tab of its own."""
    frame = visit.open_tab("small")
    frame.get_by_text("10 of 12").first.wait_for()
    frame.locator("#quarantine tbody tr").first.wait_for()
    before = sum("api/progress" in url for _, url in visit.requests)
    visit.window.wait_for_timeout(6000)
    assert sum("api/progress" in url for _, url in visit.requests) == before
    visit.keep("finished-light")
    with visit.window.context.expect_page() as opened:
        frame.get_by_role("link", name="Report").click()
    opened.value.get_by_role("heading", name="A report").wait_for()


def test_one_lost_answer_is_noticed_and_got_over(visit: Visit) -> None:
    """The page says that the server does not answer, goes on asking, and stops saying it."""
    frame = visit.open_alone("large")
    wait_for_picture(frame)
    visit.window.route("**/api/progress*", lambda route: route.abort(), times=1)
    frame.get_by_text("the server does not answer").wait_for()
    visit.keep("no-answer")
    frame.locator("#notice").wait_for(state="hidden")
    visit.errors[:] = [error for error in visit.errors if "ERR_FAILED" not in error]


def test_everything_is_reached_by_tab(visit: Visit) -> None:
    """Tab goes through every control of the page in turn, and what has the focus is outlined."""
    frame = visit.open_alone("large")
    wait_for_picture(frame)
    frame.locator("#quarantine tbody tr").first.wait_for()
    frame.get_by_text("Slices", exact=True).click()
    wanted = frame.evaluate(
        "[...document.querySelectorAll('a, button, input, select, canvas, summary')]"
        ".filter(node => node.checkVisibility() && !node.disabled && !(node.type === 'radio' && !node.checked)).length"
    )
    frame.evaluate("document.activeElement.blur(); window.reached = new Set()")
    for _ in range(wanted + 12):
        visit.window.keyboard.press("Tab")
        frame.evaluate("reached.add(document.activeElement)")
    reached = frame.evaluate(
        "[...reached].filter(node => node.matches('a, button, input, select, canvas, summary')).length"
    )
    assert reached == wanted
    frame.get_by_label("High").focus()
    visit.window.keyboard.press("Shift+Tab")
    assert frame.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    visit.window.keyboard.press("?")
    frame.get_by_role("dialog", name="Keys of the viewer").wait_for()
    visit.keep("help-light")
