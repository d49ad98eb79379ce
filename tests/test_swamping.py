"""The swamping widget in headless Chromium, on a small page of our own with the real host."""

import re

import pytest
from browser import overflow, visit
from playwright.sync_api import expect
from widget_page import FOCUSED, HOSTILE, PHONE, SHADOW, WidgetView, address, findings, luminance, write_page

from amp_helpers.formats import decode, encode
from amp_helpers.plots import DTYPE_STYLE
from amp_helpers.widgets import Swamping

pytestmark = pytest.mark.browser

WEIGHT = {"start": "0.02", "addend": "1e-5", "count": 1000}
ROWS = {
    "float32": "float32",
    "bfloat16": "bfloat16",
    "float16": "float16",
    "kahan": "{}, Kahan",
    "stochastic": "bfloat16, stochastic",
}


class View(WidgetView):
    """What a reader can see and do."""

    def cells(self, row):
        return self.root.locator(f"tr[data-id={row}] td").all_inner_texts()

    @property
    def headline(self):
        return self.root.locator(".headline").inner_text()

    @property
    def panel(self):
        return self.root.locator(".panel").inner_text()


#: For the fixture `open_page`.
KIND, VIEW = "swamping", View


def hold_the_clock(page):
    """From here on the page's time passes only in `page.clock.run_for`."""
    page.clock.install(time=0)
    page.clock.pause_at(60_000)


def agrees(view, **state):
    """Every row shows the sum and the verdict that Python finds."""
    widget = Swamping(**state)
    for row, name in ROWS.items():
        total, since = widget.sums()[name.format(widget.kahan_format)]
        shown, _, verdict = view.cells(row)
        number = float(shown.replace("infinity", "inf"))
        if row == "float32":  # as few digits as tell it apart
            number = decode(encode(number, "float32"), "float32")
        assert number == pytest.approx(total, rel=0 if row == "float32" else 5e-9), (row, state)
        assert ("moves" in verdict) == (since is None), (row, verdict)
        if since:
            assert f"■ stuck since step {since:,}" == verdict


def test_it_comes_to_life_and_agrees_with_python(open_page):
    with open_page({}, WEIGHT) as view:
        assert view.page.get_by_text("the fallback").count() == 0
        assert view.headline == "After 3,000 additions the exact sum is 3001"
        agrees(view)
        second = View(view.page, 1)
        assert second.headline == "After 1,000 additions the exact sum is 0.03"
        agrees(second, **WEIGHT)
        assert second.cells("bfloat16")[1] == "−0.00998 (−33.3 %)"


def test_without_scripts_the_fallback_tells_the_same(site, browser):
    folder, home = site
    path = folder / write_page(folder, "noscript")
    path.write_text(
        path.read_text(encoding="utf-8").replace("<h2", Swamping(**WEIGHT).twin() + "<h2"), encoding="utf-8"
    )
    with visit(browser, home, java_script_enabled=False, viewport=PHONE["viewport"]) as page:
        page.goto(home + path.name)
        expect(page.locator("amp-widget table")).to_be_visible()
        assert "stuck since step 737" in page.locator("amp-widget").inner_text()
        assert overflow(page) <= 0


def test_a_state_that_makes_no_sense_keeps_its_fallback(site, browser):
    folder, home = site
    name = write_page(folder, "broken", {"kind": "swamping", "start": HOSTILE}, {"kind": "swamping"})
    with visit(browser, home) as page:
        page.goto(home + name)
        View(page)
        assert page.get_by_text("the fallback").count() == 1 and page.title() == "page"
        assert len(page.messages) == 1 and "is not a number" in page.messages[0]


# --- by mouse and by keyboard --------------------------------------------------------------------------------------


def test_by_mouse(open_page):
    with open_page({}) as view:
        view.button("0.02 + 1e-5").click()
        agrees(view, **WEIGHT)
        expect(view.button("0.02 + 1e-5")).to_have_attribute("aria-pressed", "true")
        for size, count in (("1", 1001), ("10", 1011), ("100", 1111), ("1,000", 2111)):
            view.button(f"Add {size} more addition{'s' * (size != '1')}").click()
            agrees(view, **{**WEIGHT, "count": count})
        box = view.field("count").bounding_box()
        view.page.mouse.click(box["x"] + 1, box["y"] + box["height"] / 2)
        assert view.headline == "After 0 additions the exact sum is 0.02"
        view.page.mouse.click(box["x"] + box["width"] - 1, box["y"] + box["height"] / 2)
        assert view.headline.startswith("After 100,000 additions") and "1.02" in view.headline
        expect(view.button("Add 1 more addition")).to_be_disabled()
        expect(view.button("▶ Run")).to_be_disabled()
        view.field("kahan_format").select_option("float16")
        assert view.root.locator("tr[data-id=kahan] th").inner_text() == "float16, Kahan"
        view.button("Reset").click()
        agrees(view)


def test_by_keyboard_alone(open_page):
    with open_page({}) as view:
        press, where = view.page.keyboard.press, lambda: view.page.evaluate(f"{FOCUSED}.id || {FOCUSED}.textContent")
        stops = ["1 + 1", "0.02 + 1e-5", "1 + 1e-4", "Reset", "start", "addend", "kahan_format", "seed", "count"]
        stops += ["+1", "+10", "+100", "+1,000", "▶ Run", "Logarithmic steps"]
        for stop in [*stops, "float32", "bfloat16", "float16", "float16, Kahan", "bfloat16, stochastic"]:
            press("Tab")
            assert where() == stop
            if stop == "1 + 1e-4":
                press("Space")
            elif stop == "addend":
                press("Control+a")
                view.page.keyboard.type("2^-9")
            elif stop == "kahan_format":
                press("f")
            elif stop == "count":
                press("Home")
                press("ArrowRight")
                press("ArrowRight")
            elif stop == "+100":
                press("Enter")
            elif stop == "float16":
                press("Enter")
                assert "float16: addition 103" in view.panel and "2 ulps of the sum" in view.panel
        agrees(view, start="1", addend="2^-9", count=102, kahan_format="float16")


def test_it_runs_and_pauses(open_page):
    with open_page({"count": 0, "url_state": True}) as view:
        view.button("▶ Run").click()
        expect(view.root.locator(".counter")).to_contain_text("Pause")
        view.page.wait_for_function(
            f"{FOCUSED}.getRootNode().querySelector('.headline').textContent.match(/\\d+/)[0] > 5"
        )
        view.button("❚❚ Pause").click()
        stopped = view.headline
        count = int(re.search(r"[\d,]+", stopped)[0].replace(",", ""))
        view.page.wait_for_timeout(250)
        assert view.headline == stopped and count > 5
        agrees(view, count=count)
        assert address(view.page) == f"#sum=1:1:{count}:bfloat16:0"


def test_it_stops_at_the_last_count(open_page):
    with open_page({"count": 99_000}) as view:
        view.button("▶ Run").click()
        expect(view.button("▶ Run")).to_be_disabled()
        assert "100,000" in view.headline


def test_reduced_motion_goes_in_single_calm_steps(open_page):
    with open_page({"count": 0}, reduced_motion="reduce") as view:
        hold_the_clock(view.page)
        view.button("▶ Run").click()
        for seconds, count in ((0.9, 0), (0.2, 1), (0.5, 1), (0.5, 2), (1, 5), (1, 10)):
            view.page.clock.run_for(seconds * 1000)
            assert view.headline.startswith(f"After {count} addition")


# --- typing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("start", HOSTILE, "<img src=x"),
        ("start", "", "is not a number"),
        ("addend", "1e", '"1e" is not a number'),
        ("addend", "inf", "Type a number from -1e30 to 1e30."),
        ("seed", HOSTILE, "<img src=x"),
        ("seed", "-1", "seed must be a whole number from 0 to 4294967295, not -1"),
        ("seed", "4294967296", "not 4294967296"),
    ],
)
def test_what_cannot_be_read_is_said_and_changes_nothing(open_page, field, text, message):
    with open_page({}) as view:
        nodes = f"{SHADOW}.querySelectorAll('*').length"
        before = view.page.evaluate(nodes)
        view.field(field).fill(text)
        assert message in view.field(f"{field}-problem").inner_text()
        assert view.field(field).get_attribute("aria-invalid") == "true"
        agrees(view)
        assert view.page.evaluate(nodes) == before and view.page.title() == "page"
        view.field(field).blur()
        assert view.field(field).get_attribute("aria-invalid") == "false"
        assert view.field(field).input_value() in ("0", "1")


def test_typed_numbers_and_seed(open_page):
    with open_page({"count": 500}) as view:
        view.field("start").fill("-1/3")
        view.field("addend").fill("1e-3")
        agrees(view, start="-1/3", addend="1e-3", count=500)
        view.field("seed").fill("41")
        agrees(view, start="-1/3", addend="1e-3", count=500, seed=41)
        view.field("start").fill("1e6")
        assert view.cells("float16")[2] == "↑ infinite: beyond 65504"
        assert view.cells("float16")[:2] == ["infinity", "–"]
        view.button("float16").click()
        assert "Nothing can be added" in view.panel


# --- what is said ------------------------------------------------------------------------------------------------


def test_the_next_addition_bit_by_bit(open_page):
    with open_page({}) as view:
        assert "bfloat16: addition 3,001" in view.panel and "half an ulp" in view.panel
        rows = [
            "".join(view.root.locator(f".align .{row} .bits span").all_inner_texts())
            for row in ("sum", "added", "result")
        ]
        assert rows == ["10000000", "10000000", "10000000"]
        assert view.root.locator(".align .sum .one:not(.falls)").count() == 1
        assert view.root.locator(".align .added .one.falls").count() == 1
        assert "sum 256 + 1 = 256; 8 bits fall off" in view.root.locator(".align").get_attribute("aria-label")
        view.button("float32").click()
        assert "this addition is exact" in view.panel
        assert view.root.locator(".align .one.falls").count() == 0
        view.button("bfloat16, stochastic").click()
        assert "rounded up with probability" in view.panel


def test_the_chart_follows(open_page):
    with open_page({}) as view:
        chart = view.root.locator(".chart svg")
        assert chart.locator(".line").count() == 5 and chart.locator(".exact").count() == 1
        shapes = {mark.get_attribute("d") for mark in chart.locator(".marker").all()}
        assert len(shapes) == 5
        assert "5,000" in chart.inner_html()
        linear = chart.locator(".line.float16").get_attribute("d")
        view.button("Logarithmic steps").click()
        expect(view.button("Logarithmic steps")).to_have_attribute("aria-pressed", "true")
        assert chart.locator(".line.float16").get_attribute("d") != linear
        for text in ("10", "100", "1,000"):
            expect(chart.get_by_text(text, exact=True)).to_be_visible()
        for hostile in ("0", "1e30", "-1e-30", "1e-40"):  # no scale may break
            view.field("addend").fill(hostile)
            assert "NaN" not in chart.inner_html() and "Infinity" not in chart.inner_html()


def test_a_summary_is_spoken_once_and_late(open_page):
    with open_page({"count": 10}) as view:
        live = view.root.locator("output[aria-live=polite]")
        view.page.evaluate(
            "window.said = []; new MutationObserver(() => said.push(1))"
            f".observe({SHADOW}.querySelector('output'), {{childList: true}})"
        )
        assert live.inner_text() == ""
        hold_the_clock(view.page)
        for _ in range(3):
            view.button("Add 1,000 more additions").click()
            view.page.clock.run_for(1000)
            assert live.inner_text() == ""
        view.page.clock.run_for(1000)
        expect(live).to_contain_text("After 3,010 additions: exact sum 3011.")
        expect(live).to_contain_text("bfloat16: 256, stuck since step 255.")
        assert view.page.evaluate("said.length") == 1


# --- the address ---------------------------------------------------------------------------------------------------


def test_state_in_the_address_round_trips(open_page):
    with open_page({"url_state": True}, {}) as view:
        assert address(view.page) == "", "a page just opened has a plain address"
        View(view.page, 1).button("1 + 1e-4").click()
        assert address(view.page) == "", "only the main widget owns the address"
        view.field("start").fill("1/3")
        view.field("seed").fill("9")
        assert address(view.page) == "#sum=1%2F3:1:3000:bfloat16:9"
        view.page.reload()
        again = View(view.page)
        assert again.field("start").input_value() == "1/3" and again.field("seed").input_value() == "9"
        agrees(again, start="1/3", seed=9)
        again.page.evaluate("location.hash = '#sum=0.02:1e-5:1000:float16:0'")
        expect(again.root.locator(".headline")).to_contain_text("1,000")
        agrees(again, **WEIGHT, kahan_format="float16")
        again.page.evaluate("location.hash = '#sum=<img>:1:1:bfloat16:0'")
        agrees(again, **WEIGHT, kahan_format="float16")


def test_a_shared_address_shows_the_widget(open_page):
    tall = '<p style="height: 3000px">tall</p>'
    with open_page({"url_state": True}, before=tall, hash="#sum=1:1e-4:10000:bfloat16:0") as view:
        assert view.headline == "After 10,000 additions the exact sum is 2"
        expect(view.button("1 + 1")).to_be_in_viewport()


# --- for every reader ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(open_page, theme):
    with open_page({}, {"start": "1e6", "kahan_format": "float16"}, theme=theme) as view:
        view.field("addend").fill("nonsense")
        view.button("float16").click()
        assert findings(view.page) == []
        view.root.locator(".hint").first.evaluate("node => node.append(document.createElement('button'))")
        assert findings(view.page), "axe must notice a button without a name"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lines_have_contrast_and_the_books_colours(open_page, theme):
    with open_page({}, theme=theme) as view:
        paper = luminance(view.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert (paper < 0.1) == (theme == "dark")
        for name in ("float32", "bfloat16", "float16"):
            line = view.root.locator(f".chart .line.{name}").first
            color = line.evaluate("node => getComputedStyle(node).stroke")
            ink = luminance(color)
            assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) >= 3
            if theme == "light" and name != "float32":  # that one is the page's ink, as in the figures
                book = DTYPE_STYLE[name]["color"]
                assert color == f"rgb({int(book[1:3], 16)}, {int(book[3:5], 16)}, {int(book[5:], 16)})"
        bits = view.root.locator(".align .one")
        edges = {bit.evaluate("node => getComputedStyle(node).textDecorationLine") for bit in bits.all()}
        assert edges == {"none", "line-through"}, "kept and lost differ without colour"


@pytest.mark.parametrize("state", [{}, {**WEIGHT, "seed": 7}, {"start": "-1e29", "addend": "1e-30"}], ids=str)
def test_a_phone_shows_everything(open_page, state):
    with open_page(state, **PHONE) as view:
        for row in ROWS:
            view.root.locator(f"tr[data-id={row}] button").tap()
            assert overflow(view.page) <= 0
        for control in view.root.locator("button:visible, select:visible, input:visible").all():
            box = control.bounding_box()
            assert box["width"] >= 44 and box["height"] >= 44 and box["x"] >= 0 and box["x"] + box["width"] <= 390
        for cell in view.root.locator("td:visible").all():
            box = cell.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 390
        view.button("Add 1 more addition").tap()
        assert f"After {state.get('count', 3000) + 1:,}" in view.headline


def test_the_theme_may_change_while_the_page_is_open(open_page):
    with open_page({}) as view:
        color = "node => getComputedStyle(node).stroke"
        line = view.root.locator(".chart .line.bfloat16").first
        light = line.evaluate(color)
        view.page.evaluate("document.documentElement.dataset.theme = 'dark'")
        view.root.locator(".amp.dark").wait_for()
        assert luminance(line.evaluate(color)) > luminance(light)
