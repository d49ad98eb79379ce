"""The number line in headless Chromium: mouse, keyboard, phone, dark, on small pages with the real host."""

import math
import re

import pytest
from browser import overflow, visit
from playwright.sync_api import expect
from widget_page import HOSTILE, PHONE, address, findings, luminance, write_page

from amp_helpers.formats import FORMATS, decode, encode

pytestmark = pytest.mark.browser

FOCUSED = "document.querySelector('amp-widget').firstChild.firstChild.shadowRoot.activeElement"
SIX = ["float32", "bfloat16", "float16", "float8_e4m3fn", "float8_e5m2", "float4_e2m1fn"]
MODES = ["nearest_even", "nearest_away", "toward_zero", "toward_positive", "toward_negative"]


class Line:
    """What a reader can see and do."""

    def __init__(self, page, index=0):
        self.page = page
        self.root = page.locator("amp-widget[data-live]").nth(index)
        self.root.wait_for(timeout=10_000)
        self.plot = self.root.get_by_role("application")
        self.probe = self.root.get_by_label("Probe: any number")
        self.handle = self.root.get_by_role("slider", name="Move the probe")
        self.mode = self.root.get_by_label("Rounding")
        self.live = self.root.locator("[aria-live=polite]")

    def button(self, name):
        return self.root.get_by_role("button", name=name, exact=True)

    @property
    def view(self):
        """(low, high, scale), as the picture's label says it."""
        low, high, scale = re.search(
            r"from (\S+) to (\S+), (\w+) scale", self.root.locator("svg[role=img]").get_attribute("aria-label")
        ).groups()
        return float(low.replace("−", "-")), float(high.replace("−", "-")), scale

    def rows(self):
        """{format: [stored, error, error in ulp, what happened]}"""
        return self.root.locator("table").evaluate(
            "table => Object.fromEntries([...table.tBodies[0].rows].map(row => "
            "[row.cells[0].textContent, [...row.cells].slice(1).map(cell => cell.textContent)]))"
        )

    def drawn(self, selector):
        return self.root.locator(f"svg[role=img] {selector}")


#: For the fixture `open_page`.
KIND, VIEW = "number_line", Line


# --- coming to life ---------------------------------------------------------------------------------------------


def test_it_mounts_and_without_scripts_its_fallback_shows(open_page, site, browser):
    with open_page({}, {"formats": ["float64"], "probe": ""}) as line:
        expect(line.page.locator("amp-widget[data-live]")).to_have_count(2)
        assert line.page.get_by_text("the fallback").count() == 0
        assert line.view == (0, 4, "linear") and list(line.rows()) == [
            "float8_e4m3fn",
            "float8_e5m2",
            "bfloat16",
            "float16",
        ]
        second = Line(line.page, 1)
        expect(second.root.locator("table")).to_be_hidden()
        expect(second.button("Go to probe")).to_be_disabled()
    folder, home = site
    name = write_page(folder, "still", {"kind": "number_line"}, {"kind": "number_line", "formats": ["half"]})
    with visit(browser, home, java_script_enabled=False) as page:
        page.goto(home + name)
        expect(page.get_by_text("the fallback").first).to_be_visible()
    with visit(browser, home) as page:
        page.goto(home + name)
        Line(page)
        assert page.get_by_text("the fallback").count() == 1, "a state that cannot be keeps its fallback"
        assert len(page.messages) == 1 and "unknown format 'half'; choose from float64" in page.messages[0]


# --- what it shows ------------------------------------------------------------------------------------------------


def test_every_landing_is_pythons(open_page):
    names = [*SIX[2:], "float8_e8m0fnu", "float8_e4m3fnuz"]
    with open_page({"formats": names}) as line:
        for typed in ("0.1", "-3", "1e6", "1e-9", "1.3125", "65520", "-inf"):
            line.probe.fill(typed)
            for mode in MODES if typed in ("0.1", "1e6", "-3") else MODES[:2]:
                line.mode.select_option(mode)
                for name, (stored, error, _, said) in line.rows().items():
                    value = decode(encode(float(typed), name, mode), name)
                    assert repr(float(stored.replace("infinity", "inf"))) == repr(value), (typed, mode, name)
                    if math.isfinite(value) and math.isfinite(float(typed)):
                        miss = value - float(typed)
                        assert float(error.replace("−", "-")) == pytest.approx(miss, rel=6e-3), (typed, mode, name)
                        assert ("exact" in said) == (miss == 0)
        line.probe.fill("nan")
        assert line.rows()["float4_e2m1fn"][3] == "× no NaN to hold it"


def test_few_values_are_drawn_one_by_one(open_page):
    with open_page({"formats": ["float4_e2m1fn", "float16"], "low": -8, "high": 8, "probe": "5"}) as line:
        small, large = line.drawn("g[transform*=translate]:has(> .base)").all()
        assert small.locator(".value").count() == 15 and small.locator(".dense").count() == 0
        assert "15 values in view" in small.text_content() and "too many" not in small.text_content()
        assert small.locator(".bin").count() == 15 and small.locator(".bin.landed").count() == 1
        assert large.locator(".dense").count() >= 1
        assert "36 865 values in view · solid: too many to draw" in large.text_content()  # 2 * 0x4800 + 1
        assert small.locator(".zone.subnormal").count() == 1 and small.locator(".zone.beyond").count() == 2
        assert "subnormal" in small.text_content() and small.text_content().count("beyond") == 2
        assert line.rows()["float4_e2m1fn"][3] == "½ rounded down, a tie of 4 and 6"
        away = line.drawn(".bin.landed").first.get_attribute("x")
        line.mode.select_option("toward_positive")
        assert line.drawn(".bin.landed").first.get_attribute("x") != away
        assert line.rows()["float4_e2m1fn"][:2] == ["6", "+1"]


def test_zones_have_their_place(open_page):
    state = {"formats": ["float16", "float8_e4m3fn"], "low": 2.0**-30, "high": 2.0**20, "scale": "log", "probe": "1e6"}
    with open_page(state) as line:
        left, right = (line.drawn(".axisline").get_attribute(end) for end in ("x1", "x2"))

        def place(number):
            return float(left) + (math.log2(number) + 30) / 50 * (float(right) - float(left))

        for index, fmt in enumerate([FORMATS["float16"], FORMATS["float8_e4m3fn"]]):
            band, top = (line.drawn(f".zone.{kind}").nth(index) for kind in ("subnormal", "beyond"))
            assert float(band.get_attribute("x")) == pytest.approx(place(fmt.smallest_subnormal), abs=0.5)
            width = place(fmt.smallest_normal) - place(fmt.smallest_subnormal)
            assert float(band.get_attribute("width")) == pytest.approx(width, abs=0.5)
            assert float(top.get_attribute("x")) == pytest.approx(place(fmt.max), abs=0.5)
        assert "overflow: NaN" in line.plot.text_content()
        assert [said for *_, said in line.rows().values()] == ["↑ overflow to infinity", "× overflow to NaN"]


# --- by mouse ------------------------------------------------------------------------------------------------------


def test_by_mouse(open_page):
    with open_page({}) as line:
        page = line.page
        line.button("Zoom in").click()
        assert line.view == (1, 3, "linear")
        line.button("Move right").click()
        assert line.view == (1.5, 3.5, "linear")
        expect(line.drawn(".outside")).to_have_text("◂ probe")
        line.button("Go to probe").click()
        assert line.view == (0.3, 2.3, "linear")
        line.button("Zoom out").click()
        line.button("Move left").click()
        line.button("Reset view").click()
        assert line.view == (0, 4, "linear")
        line.button("Log scale").click()
        low, high, scale = line.view
        assert (high, scale) == (4, "log") and 0 < low < 2**-130, "down to BF16's subnormals"
        assert line.button("Log scale").get_attribute("aria-pressed") == "true"
        line.button("Log scale").click()
        line.button("Reset view").click()

        box = line.plot.bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + 60
        pixels = (box["width"] - 44) / 4  # per unit
        page.mouse.move(*middle)
        page.mouse.wheel(0, -200)
        assert line.view == (0, 4, "linear"), "the wheel scrolls the page until the line was clicked"
        page.mouse.down()
        page.mouse.move(middle[0] - pixels, middle[1], steps=4)
        page.mouse.up()
        assert line.view[0] == pytest.approx(1, abs=0.01) and line.view[1] == pytest.approx(5, abs=0.01)
        page.mouse.move(*middle)
        page.mouse.wheel(0, -100)
        low, high, _ = line.view
        assert high - low == pytest.approx(4 / 2**0.5, abs=0.01) and (low + high) / 2 == pytest.approx(3, abs=0.02)

        line.button("Reset view").click()
        handle = line.handle.bounding_box()
        page.mouse.move(handle["x"] + 22 + 1.3 * pixels, handle["y"] + 22)
        page.mouse.down()
        page.mouse.move(handle["x"] + 22 + 3 * pixels, handle["y"] + 22, steps=5)
        page.mouse.up()
        probe = float(line.probe.input_value())
        assert probe == pytest.approx(3, abs=0.03)
        assert float(line.rows()["float8_e5m2"][0]) == decode(encode(probe, "float8_e5m2"), "float8_e5m2")
        end = float(line.drawn(".probe").get_attribute("x1"))
        assert end == pytest.approx(22 + probe * pixels, abs=1)


def test_formats_come_and_go(open_page):
    with open_page({"formats": ["float16", "bfloat16"]}) as line:
        line.root.get_by_text("Formats: 2 of at most 6").click()
        boxes = {name: line.root.get_by_role("checkbox", name=name, exact=True) for name in FORMATS}
        for name in ("float64", "float4_e2m1fn", "float32", "tfloat32"):
            boxes[name].check()
        assert list(line.rows()) == ["float16", "bfloat16", "float64", "float4_e2m1fn", "float32", "tfloat32"]
        expect(boxes["float8_e5m2"]).to_be_disabled()
        for name in list(line.rows())[1:]:
            boxes[name].uncheck()
        assert list(line.rows()) == ["float16"]
        expect(boxes["float16"]).to_be_disabled()


# --- by keyboard ---------------------------------------------------------------------------------------------------


def test_keyboard_alone(open_page):
    with open_page({}) as line:
        press, page = line.page.keyboard.press, line.page
        press("Tab")
        assert page.evaluate(f"{FOCUSED}.id") == "probe"
        press("Control+a")
        page.keyboard.type("1/3")
        assert line.rows()["float16"][0] == repr(decode(encode(1 / 3, "float16"), "float16"))
        press("Tab")
        press("ArrowDown")
        assert "rounded to nearest, ties away from zero" in line.live.inner_text()
        for _ in range(7):
            press("Tab")
        assert page.evaluate(f"{FOCUSED}.className") == "reset"
        press("Tab")
        assert page.evaluate(f"{FOCUSED}.id") == "handle"
        press("ArrowRight")
        assert float(line.probe.input_value()) == pytest.approx(1 / 3, abs=0.008)
        before = float(line.probe.input_value())
        press("ArrowRight")
        assert float(line.probe.input_value()) == pytest.approx(before + 0.004, abs=0.002)
        press("Tab")
        assert page.evaluate(f"{FOCUSED}.getAttribute('role')") == "application"
        press("ArrowRight")
        assert line.view == (0.4, 4.4, "linear")
        press("ArrowLeft")
        press("+")
        assert line.view == (1, 3, "linear")
        press("-")
        press("-")
        assert line.view == (-2, 6, "linear")
        press("Home")
        assert line.view == (0, 4, "linear")
        press("l")
        assert line.view[2] == "log"
        press("L")
        press("Home")
        assert line.view == (0, 4, "linear")
        press("Tab")
        press("Enter")
        expect(line.root.get_by_role("checkbox", name="float16", exact=True)).to_be_visible()


def test_deep_zoom_stays_quick_and_true(open_page):
    with open_page({"formats": ["float64", "float32"], "low": 0.9, "high": 1.1, "probe": "1"}) as line:
        line.plot.focus()
        for _ in range(50):
            line.page.keyboard.press("+")
        low, high, _ = line.view
        assert low <= 1 <= high and 0 < high - low < 1e-12
        assert 1 < line.drawn(".value").count() < 400
        for _ in range(70):
            line.page.keyboard.press("-")
        assert line.view[1] > 1e5 and line.drawn(".dense").count() >= 2


# --- what is said ---------------------------------------------------------------------------------------------------


def test_a_screen_reader_hears_the_landing(open_page):
    with open_page({"formats": ["float16", "float8_e4m3fn"]}) as line:
        line.probe.fill("1.3125")
        assert line.live.inner_text() == (
            "View 0 to 4, linear scale. Probe 1.3125, rounded to nearest, ties to even. "
            "float16: 1.3125, exact; float8_e4m3fn: 1.25, rounded down, a tie of 1.25 and 1.375."
        )
        assert line.handle.get_attribute("aria-valuetext") == "1.3125"
        line.probe.fill("9")
        assert line.handle.get_attribute("aria-valuetext") == "9, not in view"
        line.probe.fill("")
        assert line.live.inner_text().endswith("No probe.")
        line.page.get_by_role("button", name="Zoom out").focus()  # an empty field is a state, not a mistake
        assert line.probe.input_value() == ""


def test_hostile_text_shows_as_text(open_page):
    with open_page({}) as line:
        count = "document.querySelector('amp-widget').firstChild.firstChild.shadowRoot.querySelectorAll('*').length"
        before = line.page.evaluate(count)
        for text, message in ((HOSTILE, "<img src=x"), ("1e999999999", "too large"), ("9" * 5000, "Too long")):
            line.probe.fill(text)
            assert message in line.root.locator("#probe-problem").inner_text()
            assert line.probe.get_attribute("aria-invalid") == "true"
            assert line.page.evaluate(count) == before and line.rows()["float8_e4m3fn"][0] == "1.25"
        line.probe.fill("9" * 900)
        assert overflow(line.page) <= 0 and line.rows()["float16"][0] == "infinity"
        line.probe.fill("2")
        assert line.probe.get_attribute("aria-invalid") == "false"
        assert line.page.locator("img, script:not([src])").count() == 0 and line.page.title() == "page"


# --- the address ----------------------------------------------------------------------------------------------------


def test_state_in_the_address_round_trips(open_page):
    with open_page({"url_state": True}, {"url_state": True}, {}) as line:
        assert address(line.page) == "", "a page just opened has a plain address"
        line.probe.fill("1/3")
        line.button("Zoom in").click()
        line.mode.select_option("toward_zero")
        Line(line.page, 1).button("Zoom out").click()
        link = address(line.page)
        assert link == "#line=float8_e4m3fn,float8_e5m2,bfloat16,float16:linear:1:3:toward_zero:1%2F3"
        line.page.reload()
        again = Line(line.page)
        assert again.view == (1, 3, "linear") and again.probe.input_value() == "1/3"
        assert again.mode.input_value() == "toward_zero" and address(line.page) == link
        line.page.evaluate("location.hash = '#line=float16:log:1e-8:65504:nearest_even:<img>'")
        line.page.evaluate("location.hash = '#line=float16:log:0.25:64:nearest_even:5'")
        expect(again.root.locator("tbody tr")).to_have_count(1)
        assert again.view == (0.25, 64, "log")
        assert Line(line.page, 1).view == (0, 4, "linear")


# --- for every reader -----------------------------------------------------------------------------------------------

STATES = [
    {"probe": "1.3125"},
    {"formats": SIX, "low": 1e-8, "high": 1e6, "scale": "log", "probe": "70000"},
    {"formats": ["float64", "float8_e8m0fnu", "tfloat32"], "low": -1e30, "high": 5.0, "probe": "nan"},
]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(open_page, theme):
    with open_page(*(STATES[:1] if theme == "dark" else STATES), theme=theme) as line:
        line.probe.fill("nonsense")
        for summary in line.page.locator("summary").all():
            summary.click()
        assert findings(line.page) == []
        paper, ink = (
            line.root.locator(".amp").evaluate(f"node => getComputedStyle(node).{key}")
            for key in ("backgroundColor", "color")
        )
        assert (luminance(paper) < luminance(ink)) == (theme == "dark")
        for selector in ("svg[role=img] .title", "svg[role=img] .axis"):
            text = luminance(line.root.locator(selector).first.evaluate("node => getComputedStyle(node).fill"))
            ground = luminance(paper)
            assert (max(text, ground) + 0.05) / (min(text, ground) + 0.05) >= 4.5
        line.root.locator(".tools").evaluate("node => node.append(document.createElement('button'))")
        assert findings(line.page), "axe must notice a button without a name"


def test_a_phone_shows_everything(open_page):
    with open_page(*STATES, **PHONE) as line:
        page = line.page
        for summary in page.locator("summary").all():
            assert summary.bounding_box()["height"] >= 44
            summary.click()
        assert overflow(page) <= 0
        controls = page.locator(
            "button, select, input:not([type=checkbox]), label:has(input)"
        )  # a box's label is its target
        boxes = controls.evaluate_all(
            "nodes => nodes.map(node => node.getBoundingClientRect()).map(({x, width, height}) => [x, width, height])"
        )
        assert len(boxes) == len(STATES) * (7 + 1 + 2 + len(FORMATS))
        for x, width, height in boxes:
            assert x >= 0 and x + width <= 390 and width >= 44 and height >= 44
        wide = page.evaluate(
            "[...document.querySelectorAll('amp-widget')].flatMap(one => [...one.firstChild.firstChild.shadowRoot"
            ".querySelectorAll('svg[role=img] text')].filter(text => text.getBoundingClientRect().right > 390"
            " || text.getBoundingClientRect().left < 0).map(text => text.textContent))"
        )
        assert wide == []
        line.button("Zoom in").tap()
        assert line.view == (1, 3, "linear")


def test_motion_is_reduced_and_the_theme_may_change(open_page):
    for preference, still in (("reduce", True), ("no-preference", False)):
        with open_page({}, reduced_motion=preference) as line:
            duration = line.button("Zoom in").evaluate("node => getComputedStyle(node).transitionDuration")
            assert (duration == "0s") is still
            color = "node => getComputedStyle(node).fill"
            light = line.drawn(".title").first.evaluate(color)
            line.page.evaluate("document.documentElement.dataset.theme = 'dark'")
            line.root.locator(".amp.dark").wait_for()
            assert luminance(line.drawn(".title").first.evaluate(color)) > luminance(light)
