"""The pages in a real headless Chromium: accessibility tree, keyboard, phone width, dark mode, no error in the console."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.calls import app_for_tests

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --force-prefers-reduced-motion --window-size=1280,1000"
)
POLICY = "/policies/blue-advantage-177"
PAGES = [
    "/",
    "/try",
    POLICY,
    f"{POLICY}?on=2023",
    f"{POLICY}?on=soon",
    "/policies/none",
    "/docs",
    "/docs/operations",
    "/docs/conformance",
    "/docs/writing-a-policy",
]


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # werkzeug's name
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app_for_tests(mode="open"), threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no Chromium here: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    os.environ["SE_AVOID_STATS"] = "true"
    driver = Chrome(options=options, service=Service(DRIVER))
    driver.set_page_load_timeout(30)
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium: Chrome) -> Iterator[Chrome]:
    """The browser at desktop width in light colours; the console must be empty at the end, so no page broke its own policy."""
    look(chromium, 1280, dark=False)
    chromium.get_log("browser")
    yield chromium
    said = [entry["message"] for entry in chromium.get_log("browser")]
    # The answers that a test asks for with an error status are no error of the page.
    assert [
        message for message in said if "Failed to load resource: the server responded with a status of 4" not in message
    ] == []


def look(driver: Chrome, width: int, *, dark: bool) -> None:
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def press(driver: Chrome, *keys: str) -> None:
    driver.switch_to.active_element.send_keys(*keys)


def focused(driver: Chrome) -> str:
    """The focused element's id, else its text."""
    element = driver.switch_to.active_element
    return element.get_attribute("id") or element.text or ""


def answered(driver: Chrome) -> str:
    """Wait for the answer to a submitted form, and give its text."""
    WebDriverWait(driver, 15).until(lambda found: found.title.startswith("Answer"))
    return driver.find_element(By.ID, "answer").text


def fill(driver: Chrome, **fields: str) -> None:
    for name, value in fields.items():
        field = driver.find_element(By.ID, name)
        field.clear()
        field.send_keys(value)


def tree(driver: Chrome) -> list[dict[str, Any]]:
    """The accessibility tree's nodes as ``role``, ``name``, ``description`` and properties."""
    nodes = driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    return [
        {
            "role": node["role"]["value"],
            "name": node.get("name", {}).get("value", "").strip(),
            "description": node.get("description", {}).get("value", ""),
            **{each["name"]: each["value"].get("value") for each in node.get("properties", ())},
        }
        for node in nodes
        if not node["ignored"]
    ]


CONTROLS = {"link", "button", "textbox", "combobox", "listbox", "radio", "checkbox", "searchbox", "DisclosureTriangle"}


def check_tree(nodes: list[dict[str, Any]]) -> None:
    roles = [node["role"] for node in nodes]
    for landmark in ("banner", "main", "contentinfo"):
        assert roles.count(landmark) == 1, landmark
    navigations = [node["name"] for node in nodes if node["role"] == "navigation"]
    assert navigations
    assert all(navigations)
    assert len(set(navigations)) == len(navigations)
    for node in nodes:
        if node["role"] in CONTROLS or node["role"] in ("image", "region", "form", "table", "radiogroup"):
            assert node["name"], node
    levels = [node["level"] for node in nodes if node["role"] == "heading"]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels)), levels


@pytest.mark.parametrize("path", PAGES)
def test_every_page_reads_well_to_a_screen_reader(browser: Chrome, site: str, path: str) -> None:
    browser.get(site + path)
    check_tree(tree(browser))


@pytest.mark.parametrize(
    "fields", [{"text": "MR neurography"}, {"text": "MRI knee"}, {"text": "MR neurography", "until": "2030-01-01"}]
)
def test_an_answer_reads_well_to_a_screen_reader(browser: Chrome, site: str, fields: dict[str, str]) -> None:
    browser.get(f"{site}/try")
    fill(browser, date="2023-01-05", **fields)
    press(browser, Keys.ENTER)
    answered(browser)
    nodes = tree(browser)
    check_tree(nodes)
    if fields["text"] == "MR neurography":
        card = next(node for node in nodes if node["role"] == "article")
        assert card["name"].startswith("MR neurography: non-covered, investigational")


def test_the_time_line_is_an_image_with_its_text(browser: Chrome, site: str) -> None:
    browser.get(site + POLICY)
    drawn = next(node for node in tree(browser) if node["role"] in ("image", "img") and node["name"].startswith("Time line"))
    assert "Version 2, dates of service from 11/1/2023: non-covered, investigational." in drawn["description"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 320])
@pytest.mark.parametrize("path", PAGES)
def test_no_page_scrolls_sideways_on_a_phone(browser: Chrome, site: str, path: str, width: int, dark: bool) -> None:
    look(browser, width, dark=dark)
    browser.get(site + path)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_no_answer_scrolls_sideways_on_a_phone_however_long_its_words(browser: Chrome, site: str) -> None:
    look(browser, 390, dark=False)
    browser.get(f"{site}/try")
    fill(browser, text="MR neurography " + "W" * 300, date="2023")
    press(browser, Keys.ENTER)
    answered(browser)
    for details in browser.find_elements(By.TAG_NAME, "summary"):
        browser.execute_script("arguments[0].click()", details)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390


def test_dark_mode_is_followed(browser: Chrome, site: str) -> None:
    grounds = []
    for dark in (False, True):
        look(browser, 1280, dark=dark)
        browser.get(site)
        grounds.append(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(248, 247, 243)", "rgb(17, 23, 22)"]


def test_the_first_tab_leads_past_the_header(browser: Chrome, site: str) -> None:
    browser.get(f"{site}/try")
    press(browser, Keys.TAB)
    assert focused(browser) == "Skip to content"
    assert browser.switch_to.active_element.rect["y"] >= 0
    press(browser, Keys.ENTER)
    assert focused(browser) == "content"


def test_an_order_is_tried_with_the_keyboard_alone(browser: Chrome, site: str) -> None:
    browser.get(f"{site}/try")
    browser.find_element(By.ID, "source-form").send_keys("")
    for key in (Keys.TAB, Keys.TAB):
        press(browser, key)
    assert focused(browser) == "code"
    press(browser, "76498", Keys.TAB)
    assert focused(browser) == "date"
    press(browser, Keys.CONTROL, "a", Keys.NULL, "2023-10-31", Keys.ENTER)
    assert "MR neurography: non-covered, investigational. Blue Advantage policy #177" in answered(browser)
    assert browser.current_url == f"{site}/try#answer"


def test_arrow_keys_choose_where_the_request_comes_from_and_show_its_part_alone(browser: Chrome, site: str) -> None:
    browser.get(f"{site}/try")
    browser.find_element(By.ID, "source-form").send_keys(Keys.ARROW_RIGHT)
    assert browser.find_element(By.ID, "example").is_displayed()
    assert not browser.find_element(By.ID, "text").is_displayed()
    press(browser, Keys.ARROW_RIGHT)
    assert browser.find_element(By.ID, "body").is_displayed()
    assert not browser.find_element(By.ID, "example").is_displayed()


def test_focus_is_seen_on_every_control(browser: Chrome, site: str) -> None:
    browser.get(f"{site}/try")
    for _ in range(14):
        press(browser, Keys.TAB)
        script = """
            const element = document.activeElement;
            const shown = element.type === "radio" ? element.nextElementSibling : element;
            return getComputedStyle(shown).outlineStyle !== "none" && getComputedStyle(shown).outlineWidth;"""
        assert browser.execute_script(script) == "3px", focused(browser)


def test_an_example_is_tried_and_can_then_be_changed(browser: Chrome, site: str) -> None:
    browser.get(f"{site}/try")
    browser.find_element(By.ID, "source-form").send_keys(Keys.ARROW_RIGHT)
    browser.find_element(By.CSS_SELECTOR, "#example option[value='order-sign-before-the-change']").click()
    browser.find_element(By.CSS_SELECTOR, "button.wide").send_keys(Keys.ENTER)
    assert "policy #177" in answered(browser)
    pasted = browser.find_element(By.ID, "body").get_attribute("value")
    assert json.loads(pasted or "")["hook"] == "order-sign"


def test_a_quick_order_is_one_press_away(browser: Chrome, site: str) -> None:
    browser.get(f"{site}/try")
    browser.find_elements(By.CSS_SELECTOR, ".quick-button")[3].send_keys(Keys.ENTER)
    assert "Name the procedure." in answered(browser)


def test_the_curl_line_is_copied(browser: Chrome, site: str) -> None:
    browser.execute_cdp_cmd(
        "Browser.grantPermissions", {"origin": site, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    )
    browser.get(site)
    button = browser.find_element(By.CSS_SELECTOR, "button[data-copy=curl]")
    button.send_keys(Keys.ENTER)
    WebDriverWait(browser, 5).until(lambda _: button.text.startswith("Copied"))
    copied = browser.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert copied == "curl -sS http://127.0.0.1:8080/cds-services"


def test_pages_work_without_script(browser: Chrome, site: str) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(f"{site}/try")
        fill(browser, text="MR neurography", date="2024-01-05")
        press(browser, Keys.ENTER)
        assert "refer to CMS Manual 100-02" in answered(browser)
        assert not browser.find_element(By.CSS_SELECTOR, "button[data-copy]").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_the_rule_on_a_chosen_date_is_asked_with_the_keyboard(browser: Chrome, site: str) -> None:
    browser.get(site + POLICY)
    browser.find_element(By.ID, "on").send_keys("10/31/2023", Keys.ENTER)
    WebDriverWait(browser, 15).until(lambda found: found.find_elements(By.CSS_SELECTOR, ".asked"))
    assert "policy #177" in browser.find_element(By.CSS_SELECTOR, ".asked").text


def test_a_deep_link_marks_its_version(browser: Chrome, site: str) -> None:
    browser.get(f"{site}{POLICY}#from-2023-11-01")
    assert browser.execute_script("return document.querySelector(':target').id") == "from-2023-11-01"
    assert 0 <= browser.execute_script("return document.querySelector(':target').getBoundingClientRect().top") < 900


def test_script_in_order_text_does_not_run_and_no_other_host_is_asked(browser: Chrome, site: str) -> None:
    browser.get(f"{site}/try")
    hostile = (
        "MR neurography <img src=https://evil.example/x onerror=document.title=1> ![x](https://evil.example/y) www.evil.example"
    )
    fill(browser, text=hostile, date="2024-01-05")
    press(browser, Keys.ENTER)
    assert "<img src=https://evil.example/x" in answered(browser)
    asked = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert all(name.startswith(site) for name in asked)
    assert not browser.find_elements(By.CSS_SELECTOR, ".card img, .card a[href*=evil]")
