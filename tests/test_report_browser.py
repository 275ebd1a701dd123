"""The report in a real browser: quiet, offline, drawn, and not wider than a phone.

Chromium and its driver are Debian's packages `chromium` and `chromium-driver`.
"""

import json
import os
import shutil
import sys

import pytest

from backsight.report.figures import charts_of
from backsight.report.page.page import page
from report_runs import everything, renamed

CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("chromium-browser"), shutil.which("chromedriver")
MISSING = "there is no chromium with chromedriver on this machine: apt-get install chromium chromium-driver"
if os.environ.get("CI") != "true" or sys.platform != "linux":  # CI on Linux has to have one
    pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic",
)  # fmt: skip
PHONE, DESKTOP = (360, 740), (1280, 900)
VIEWS = [(size, theme) for size in (PHONE, DESKTOP) for theme in ("light", "dark")]

#: Of every figure: how wide and high it is drawn, how many marks it has, and whether one of them has room.
FIGURES = """
return [...document.querySelectorAll('figure')].map(figure => {
  const drawn = figure.querySelector('.drawn'), box = drawn.getBoundingClientRect();
  const marks = [...drawn.querySelectorAll('.curves path:not(.off), circle, .bar, .mark path')];
  return [box.width, box.height, marks.length, marks.some(m => m.getBoundingClientRect().width > 0)];
});
"""


@pytest.fixture(scope="module")
def folder(report_run, tmp_path_factory):
    """The page of a run, and that of the same run with hostile names."""
    folder = tmp_path_factory.mktemp("browser")
    stored = everything(report_run)
    for name, values in (("page", stored), ("hostile", renamed(stored, ["<img src=http://x.invalid/ onerror=x()>"]))):
        (folder / f"{name}.html").write_text(page(values, charts_of(values)), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    assert CHROMIUM, MISSING
    assert DRIVER, MISSING
    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def look(browser, path, size=DESKTOP, theme="light"):
    """Open a page as on a screen of that size and theme."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get_log("performance")
    browser.get_log("browser")
    browser.get(path.as_uri())


def requests(browser):
    """Every address that was asked for since the page was opened, but by the browser's own first page."""
    told = [json.loads(line["message"])["message"] for line in browser.get_log("performance")]
    asked = [m["params"] for m in told if m["method"] == "Network.requestWillBeSent"]
    return [a["request"]["url"] for a in asked if not a["documentURL"].startswith("chrome://")]


@pytest.mark.parametrize("name", ["page", "hostile"])
@pytest.mark.parametrize(("size", "theme"), VIEWS)
def test_quiet_offline_drawn_and_no_wider_than_the_screen(browser, folder, name, size, theme):
    path = folder / f"{name}.html"
    look(browser, path, size, theme)
    figures = browser.execute_script(FIGURES)
    assert len(figures) >= 12
    assert all(width > 150 and height > 100 and marks and seen for width, height, marks, seen in figures)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= size[0]
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, background[4:-1].split(","))) < 80) == (theme == "dark")
    assert browser.get_log("browser") == []
    assert requests(browser) == [path.as_uri()]


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_the_answers_are_on_the_first_screen(browser, folder, size):
    look(browser, folder / "page.html", size)
    below = "return document.querySelector('#answer').getBoundingClientRect().bottom"
    assert len(browser.find_elements("css selector", "#answer .answer")) == 4
    assert browser.execute_script(below) <= size[1]


def test_the_theme_can_be_changed(browser, folder):
    look(browser, folder / "page.html")
    colour = "return getComputedStyle(document.body).backgroundColor"
    before = browser.execute_script(colour)
    browser.find_element("css selector", ".toggle").click()
    assert browser.execute_script(colour) != before
    browser.find_element("css selector", ".toggle").click()
    assert browser.execute_script(colour) == before


def test_the_mouse_is_told_values(browser, folder):
    """Those of the forecast at that place, as they stand in the page."""
    from selenium.webdriver.common.action_chains import ActionChains

    look(browser, folder / "page.html")
    plot = browser.find_element("css selector", "#forecast .plot")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", plot)
    ActionChains(browser).move_to_element(plot).perform()
    tip = plot.find_element("css selector", ".tip")
    assert tip.is_displayed()
    told = json.loads(browser.find_element("css selector", "#forecast .told").get_attribute("textContent"))
    place = told["t"].index(tip.find_element("css selector", "b").text)
    assert 0.4 < told["x"][place] < 0.6
    what_came = next(series for series in told["s"] if series["n"] == "what came")
    assert f"what came\n{what_came['v'][place]}" in tip.text


def test_one_can_look_closer_and_wider_again(browser, folder):
    from selenium.webdriver.common.action_chains import ActionChains

    look(browser, folder / "page.html")
    plot = browser.find_element("css selector", "#forecast .plot")
    view = "return document.querySelector('#forecast .curves').getAttribute('viewBox')"
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", plot)
    mouse = ActionChains(browser)
    mouse.move_to_element(plot).click_and_hold().move_by_offset(200, 0).release().perform()
    left, _, width, _ = map(float, browser.execute_script(view).split())
    share = 200 / plot.size["width"]
    assert (left, width) == pytest.approx((500, 1000 * share), abs=5)
    ticks = [t.text for t in plot.find_elements("css selector", ".ticks .x")]
    assert 3 <= len(ticks) <= 6
    assert all(len(tick) == 10 for tick in ticks), "days, now that there is room for them"
    closer, wider, earlier, _, whole = browser.find_elements("css selector", "#forecast .zoom button")
    for button, expected in ((closer, 500 * share), (earlier, 500 * share), (wider, 1000 * share), (whole, 1000)):
        button.click()
        assert float(browser.execute_script(view).split()[2]) == pytest.approx(expected, abs=5)


def test_pressing_a_name_shows_and_hides_its_line(browser, folder):
    look(browser, folder / "page.html", PHONE)
    hidden = "return document.querySelectorAll('#forecast .curves .off').length"
    before = browser.execute_script(hidden)
    button = browser.find_element("css selector", "#forecast .legend button[aria-pressed=false]")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", button)
    button.click()
    assert browser.execute_script(hidden) == before - 1
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert browser.execute_script(hidden) == before


def test_a_request_and_an_error_would_be_seen(browser, folder, tmp_path):
    """The watch itself: a page that asks for a picture and throws."""
    path = tmp_path / "bad.html"
    path.write_text("<img src='http://127.0.0.1:9/x.png'><script>throw Error('seen')</script>", encoding="utf-8")
    look(browser, path)
    assert any("seen" in line["message"] for line in browser.get_log("browser"))
    assert requests(browser) == [path.as_uri(), "http://127.0.0.1:9/x.png"]


def test_a_page_is_printed(browser, folder):
    look(browser, folder / "page.html")
    assert len(printed(browser)["data"]) > 50_000


def printed(browser, tries=3):
    """The page as a PDF. Chromium prints in a process of its own, which on a busy machine does not always come up."""
    from selenium.common.exceptions import WebDriverException

    for left in reversed(range(tries)):
        try:
            return browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})
        except WebDriverException as error:
            if not left or "Printing failed" not in str(error):
                raise
    raise AssertionError
