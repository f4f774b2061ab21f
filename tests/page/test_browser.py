"""The page in a real browser: opened from disk with the network off, by pointer and by keyboard."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from closedist import Representations
from tests.page.pages import LABELS, NAMES, N, crowded, small_models, written

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = [
    "headless=new",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "hide-scrollbars",
    "force-prefers-reduced-motion",
    "window-size=1280,900",
]
AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="no browser: apt-get install chromium chromium-driver"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    os.environ["SE_OFFLINE"] = "true"
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER)) as driver:
        driver.execute_cdp_cmd("Network.enable", {})
        driver.execute_cdp_cmd(
            "Network.emulateNetworkConditions",
            {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0},
        )
        yield driver


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    pictures = np.random.default_rng(0).integers(0, 255, (N, 8, 8, 3), dtype=np.uint8)
    first = small_models()[0]
    copy = Representations(2 * first.embeddings, first.unembeddings / 2)
    return {
        "equal": written(folder / "equal.html", [first, copy]),
        "many": written(folder / "many.html", names=NAMES, inputs=pictures),
        "crowd": written(folder / "crowd.html", crowded()),
        "two": written(folder / "two.html", small_models(2), inputs=["some text"] * N),
        "apart": written(folder / "apart.html", small_models(5)[:4]),  # without the copy of the first
        "solid": written(folder / "solid.html", small_models(3, 3)),
        "deep": written(folder / "deep.html", small_models(3, 6)),
        "binary": written(folder / "binary.html", [model.at(labels=[0, 1]) for model in small_models(3)]),
    }


@pytest.fixture
def opened(browser, paths):
    """A function that opens a page; when the test is over, the console has been silent."""

    def open_page(name, width=1280):
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        browser.get(paths[name].as_uri())
        return browser

    yield open_page
    assert browser.get_log("browser") == []


def one(page, selector):
    return page.find_element("css selector", selector)


def every(page, selector):
    return page.find_elements("css selector", selector)


def press(page, *keys):
    """Press keys, by name or as they are, on whatever has the focus."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    ActionChains(page).send_keys(*(getattr(Keys, key, key) for key in keys)).perform()


def focused(page):
    return page.switch_to.active_element


def column(page, table, index):
    return [cell.text for cell in every(page, f"{table} tbody tr > :nth-child({index})")]


def choose(page, first, second):
    """Open a pair by the lists of models."""
    from selenium.webdriver.support.ui import Select

    for side, model in (("first", first), ("second", second)):
        Select(one(page, f"#{side}")).select_by_value(str(model))


def lit_pixels(page, view):
    """How many pixels of a view have the colour of the ring around the input that is lit."""
    return page.execute_script(
        """const canvas = document.getElementById(arguments[0]), copy = document.createElement("canvas");
        [copy.width, copy.height] = [canvas.width, canvas.height];
        const context = copy.getContext("2d", { willReadFrequently: true });
        context.drawImage(canvas, 0, 0);
        const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
        let lit = 0, drawn = 0;
        for (let at = 0; at < pixels.length; at += 4) {
          if (pixels[at + 3] > 0) drawn += 1;
          if (pixels[at] === 0xb3 && pixels[at + 1] === 0x26 && pixels[at + 2] === 0x1e) lit += 1;
        }
        return [lit, drawn];""",
        view,
    )


@pytest.mark.parametrize("name", ["many", "two", "solid"])
def test_it_opens_from_disk_and_fetches_nothing(opened, name):
    page = opened(name)
    fetched = page.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [address for address in fetched if not address.startswith("data:")] == []
    assert one(page, "#pair-title").is_displayed()
    assert lit_pixels(page, "first-view")[1] > 500
    assert lit_pixels(page, "second-view")[1] > 500
    assert one(page, "#overview").is_displayed() == (name != "two")


def test_names_are_shown_as_text(opened):
    page = opened("many")
    assert page.execute_script("return window.hacked") is None
    names = {element.get_property("textContent") for element in every(page, ".heat tbody th bdi")}
    assert {NAMES[0], NAMES[3]} <= names
    assert LABELS[0] in {element.get_property("textContent") for element in every(page, "#legend bdi, #labels bdi")}
    assert every(page, "bdi b, bdi img, bdi script") == []


def test_switching_the_measure_by_keyboard_shades_and_names_every_cell_anew(opened):
    page = opened("many")
    page.execute_script("document.getElementById('measure-0').focus()")
    cell = one(page, ".heat tbody tr:nth-child(1) td:nth-of-type(2)")
    before = cell.text, cell.get_attribute("aria-label"), cell.value_of_css_property("background-color")
    press(page, "ARROW_RIGHT", "ARROW_RIGHT")
    assert focused(page).get_attribute("id") == "measure-2"
    after = cell.text, cell.get_attribute("aria-label"), cell.value_of_css_property("background-color")
    assert "KL divergence" in after[1]
    assert "nats" in after[1]
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert "in nats" in one(page, "#meaning").text


def test_a_click_on_a_cell_opens_its_pair(opened):
    page = opened("many")
    heads = [head.get_property("textContent") for head in every(page, ".heat tbody th bdi")]
    one(page, ".heat tbody tr:nth-child(2) td:nth-of-type(5)").click()
    title = one(page, "#pair-title").get_property("textContent")
    assert heads[1] in title
    assert heads[4] in title
    assert len(every(page, "#labels .wide:last-of-type tbody tr")) >= len(LABELS)
    assert len(every(page, "#details .card img")) == 12


def test_the_keyboard_alone_goes_from_the_heat_map_to_a_lit_input(opened):
    page = opened("many")
    page.execute_script("document.querySelector('.heat [tabindex=\"0\"]').focus()")
    press(page, "END", "ARROW_DOWN", "ARROW_UP")
    opens = focused(page).get_attribute("aria-label")
    press(page, "ENTER")
    assert focused(page).get_attribute("id") == "pair-title"
    assert all(name in opens for name in one(page, "#pair-title").get_property("textContent").split(" and ", 1))
    for _ in range(40):
        press(page, "TAB")
        if focused(page).get_attribute("id") == "input":
            break
    press(page, "ARROW_RIGHT")
    assert "says" in one(page, "#lit").text
    assert one(page, "#lit img").is_displayed()
    assert lit_pixels(page, "first-view")[0] > 20
    assert lit_pixels(page, "second-view")[0] > 20


def test_pointing_at_an_input_lights_it_in_both(opened):
    from selenium.webdriver.common.action_chains import ActionChains

    page = opened("two")
    view = one(page, "#first-view")
    page.execute_script("arguments[0].scrollIntoView()", view)
    assert lit_pixels(page, "second-view")[0] == 0
    for across in range(-60, 60, 10):
        ActionChains(page).move_to_element_with_offset(view, across, 0).perform()
    assert lit_pixels(page, "first-view")[0] > 20
    assert lit_pixels(page, "second-view")[0] > 20
    assert "some text" in one(page, "#lit").text


def test_a_press_on_a_columns_name_sorts_the_labels_either_way(opened):
    page = opened("two")  # which differ in every label by far more than rounding
    choose(page, 0, 1)
    table = "#labels .wide:last-of-type .rows"
    head = one(page, f"{table} thead th:nth-child(5)")
    head.find_element("css selector", "button").send_keys("\n")
    values = [float(text.replace("−", "-")) for text in column(page, table, 5) if text]
    assert head.get_attribute("aria-sort") == "descending"
    assert values == sorted(values, reverse=True)
    assert len(set(values)) > len(LABELS) / 2
    head.find_element("css selector", "button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert [float(text.replace("−", "-")) for text in column(page, table, 5) if text] == sorted(values)


def test_moving_the_threshold_changes_the_groups(opened):
    page = opened("apart")
    page.execute_script("document.getElementById('threshold').focus()")
    press(page, "HOME")
    assert "4 groups" in one(page, "#groups-found").text
    press(page, "END")
    assert "1 group" in one(page, "#groups-found").text
    assert column(page, "#models", 3) == ["1"] * 4


def test_the_verdict_is_on_top_and_in_the_pairs_panel_and_cells_say_how_sure_they_are(opened):
    page = opened("many")
    assert one(page, "#verdict").text.startswith("Of 10 pairs, ")
    choose(page, 0, 1)
    assert "within 5 %" in one(page, "#pair-verdict").text
    assert "95 %: " in one(page, "#numbers").text
    assert "by chance" in one(page, "#numbers").text
    labels = [cell.get_attribute("aria-label") for cell in every(page, ".heat tbody td:not(.same)")]
    assert all("95 %: " in label and "by chance 0; " in label for label in labels)
    assert all(label.endswith(("same)", "undecided)")) for label in labels)
    page = opened("two")
    assert "within 5 %" in one(page, "#verdict").text
    assert not one(page, "#pair-verdict").is_displayed()


def test_forks_say_how_often_they_are_found_again_without_a_part_of_the_inputs(opened):
    page = opened("many")
    assert "20 repetitions, each without one part of the inputs" in one(page, "#support").text
    shown = [text.text for text in every(page, "#dendrogram text.halo")]
    assert all(text.endswith("%") and int(text[:-1]) < 100 for text in shown)


def test_numbers_on_the_map_do_not_cover_each_other_and_the_caption_says_how_many_there_are(opened):
    page = opened("crowd")
    boxes = page.execute_script(
        "return [...document.querySelectorAll('#map text')].map((t) => { const b = t.getBBox(); "
        "return [b.x, b.y, b.x + b.width, b.y + b.height]; })"
    )
    assert 6 <= len(boxes) < 26
    assert f"dendrogram ({len(boxes)} of 26; the others lie too close" in one(page, "#map-caption").text
    assert len(every(page, "#map circle")) == 26
    for i, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[:i]:
            wide, high = min(right, other[2]) - max(left, other[0]), min(bottom, other[3]) - max(top, other[1])
            assert wide < 1 or high < 0.4 * (bottom - top)  # a box is taller than its digits
    page = opened("many")
    assert len(every(page, "#map text")) == 5
    assert "too close" not in one(page, "#map-caption").text


def test_a_pair_of_equal_models_says_so_in_place_of_a_table_of_shares(opened):
    page = opened("equal")
    assert "equal for every label and every input" in one(page, "#labels").text
    assert "Share of KL" not in one(page, "#labels").text
    page = opened("many")
    choose(page, 0, 1)
    assert "Share of KL" in one(page, "#labels").text
    assert "t1's larger term against pivot label" in one(page, "#labels .wide:last-of-type caption").text


def test_two_directions_of_many_are_said_to_be_chosen_and_not_all(opened):
    page = opened("deep")
    said = one(page, "#fit").text
    assert "chosen as those in which both agree most" in said
    assert "the rest is not drawn" in said
    assert "2 directions in which both agree most" in one(page, "#first-name").text


def test_two_labels_say_why_numbers_are_missing(opened):
    page = opened("binary")
    assert "need three labels" in one(page, "#missing").text
    assert "input set" not in one(page, "#settings").text


def test_three_dimensions_turn(opened):
    page = opened("solid")
    before = page.execute_script("return document.getElementById('first-view').toDataURL()")
    page.execute_script("document.getElementById('turn').focus()")
    press(page, "PAGE_UP", "PAGE_UP")
    assert page.execute_script("return document.getElementById('first-view').toDataURL()") != before


@pytest.mark.parametrize("name", ["many", "two"])
def test_a_narrow_screen_needs_no_sideways_scrolling(opened, name):
    page = opened(name, width=390)
    assert page.execute_script("return document.documentElement.scrollWidth") == 390


def test_no_script_but_the_pages_own_runs(browser, paths):
    browser.get(paths["two"].as_uri())
    browser.execute_script(
        "const own = document.createElement('script'); own.textContent = 'window.ran = 1'; document.body.append(own);"
        "const image = document.createElement('img'); image.src = 'http://127.0.0.1/x'; document.body.append(image);"
    )
    assert browser.execute_script("return window.ran") is None
    refused = [entry["message"] for entry in browser.get_log("browser")]
    assert any("script-src" in message for message in refused)
    assert any("img-src" in message for message in refused)


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: npm install --no-save axe-core")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["many", "two", "solid"])
def test_axe_finds_no_serious_fault(opened, name, scheme):
    page = opened(name)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    page.execute_script(AXE.read_text())
    found = page.execute_async_script("axe.run().then(arguments[0])")
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    serious = [
        (fault["id"], [node["target"] for node in fault["nodes"][:3]], fault["nodes"][0]["failureSummary"])
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
    assert serious == []
