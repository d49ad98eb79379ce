"""The underflow explorer in headless Chromium, on a small page of our own with the real host."""

import json
import math

import pytest
import torch
from browser import overflow, visit
from playwright.sync_api import expect
from widget_page import FOCUSED, HOSTILE, PHONE, WidgetView, address, findings, luminance, write_page

from amp_helpers.gradients import collect
from amp_helpers.widgets import UnderflowExplorer
from amp_helpers.widgets.underflow_explorer import FORMATS

pytestmark = pytest.mark.browser

TRAINED = {"recording": "cnn_trained", "scale_exponent": 20, "format": "float8_e4m3fn", "group": "conv1.0.weight"}


class View(WidgetView):
    """What a reader can see and do."""

    def text(self, part):
        return self.root.locator(f".{part}").first.inner_text()

    def cells(self, table, row):
        """The texts of a row of the first (formats) or second (layers) table: zero, subnormal, infinite, safe."""
        return self.tables()[table][row]

    def tables(self):
        """Of both tables, the rows by name."""
        rows = "[...node.querySelectorAll('tbody tr')].map((row) => [row.dataset.id, cells(row)])"
        cells = "[...row.querySelectorAll('td')].slice(1).map((cell) => cell.textContent)"
        code = f"nodes => {{ const cells = (row) => {cells}; return nodes.map((node) => {rows}) }}"
        return [dict(table) for table in self.root.locator("table").evaluate_all(code)]

    def show(self, report):
        """Paste a text, or a report as JSON, and press Show."""
        if self.root.locator("details:not([open])").count():
            self.root.locator("summary").click()
        self.field("histogram").fill(report if isinstance(report, str) else json.dumps(report.export()))
        self.button("Show").click()


#: For the fixture `open_page`.
KIND, VIEW = "underflow_explorer", View


def same_share(shown, share):
    """Whether a text of the page is this share, to the digits that it shows."""
    number = shown.split()[-2]
    if "<" in shown or ">" in shown:
        return share < 1e-4 if "<" in shown else share > 0.9999
    if share in (0, 1):
        return number == f"{100 * share:.0f}"
    return float(number) == pytest.approx(100 * share, rel=0.06 if share < 0.1 else 0.006)


def agrees(view, report=None, **state):
    """Both tables show the shares that Python counts, and every format's and layer's largest safe scale."""
    widget = UnderflowExplorer(**state)
    report, scale = report or widget.report(), 2.0**widget.scale_exponent
    rows = [(0, name, name, report.total()) for name in FORMATS]
    rows += [(1, "", widget.format, report.total())]
    rows += [(1, group.name, widget.format, group) for group in report.groups]
    tables = view.tables()
    for table, row, name, histogram in rows:
        *shown, safe = tables[table][row]
        shares, limit = histogram.shares(name, scale), histogram.largest_safe_scale(name)
        expected = (shares.zero, shares.subnormal, shares.infinite)
        assert all(map(same_share, shown, expected)), (row, name, shown, expected)
        assert safe.replace("−", "-") == ("none" if limit is None else f"2^{round(math.log2(limit))}")
    assert f"{report.total().nonzero:,} nonzero gradients become zero in {widget.format}" in view.text("headline")
    assert view.field("scale").input_value() == str(widget.scale_exponent)


def linear_report():
    torch.manual_seed(0)
    model = torch.nn.Linear(30, 20)
    return collect(model, lambda: (model(torch.randn(8, 30)) * 2.0**-14).square().mean())


def test_it_comes_to_life_and_agrees_with_python(open_page):
    with open_page({}, TRAINED) as view:
        assert view.page.get_by_text("the fallback").count() == 0
        agrees(view)
        second = View(view.page, 1)
        agrees(second, **TRAINED)
        assert "become NaN, for this format has no infinity" in second.text("verdict")
        expect(second.button("conv1.0.weight")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("name", ["cnn_start", "gpt_start"])
def test_every_scale_of_the_slider_agrees(open_page, name):
    with open_page({"recording": name}) as view:
        for k, fmt in ((-10, "bfloat16"), (-3, "float8_e5m2"), (9, "float8_e4m3fn"), (25, "float16"), (40, "float16")):
            view.button(fmt).click()
            view.field("scale").fill(str(k))
            agrees(view, recording=name, scale_exponent=k, format=fmt)


def test_without_scripts_the_fallback_tells_the_same(site, browser):
    folder, home = site
    path = folder / write_page(folder, "noscript")
    twin = UnderflowExplorer(**TRAINED).twin()
    path.write_text(path.read_text(encoding="utf-8").replace("<h2", twin + "<h2"), encoding="utf-8")
    with visit(browser, home, java_script_enabled=False, viewport=PHONE["viewport"]) as page:
        page.goto(home + path.name)
        expect(page.locator("amp-widget table").first).to_be_visible()
        assert "SmallCNN on digits, after 200 steps" in page.locator("amp-widget").inner_text()
        assert overflow(page) <= 0


def test_a_state_that_makes_no_sense_keeps_its_fallback(site, browser):
    folder, home = site
    name = write_page(folder, "broken", {"kind": KIND, "recording": HOSTILE}, {"kind": KIND})
    with visit(browser, home) as page:
        page.goto(home + name)
        View(page)
        assert page.get_by_text("the fallback").count() == 1 and page.title() == "page"
        assert len(page.messages) == 1 and "unknown recording" in page.messages[0]


# --- by mouse and by keyboard --------------------------------------------------------------------------------------


def test_by_mouse(open_page):
    with open_page({}) as view:
        view.button("GradScaler’s 2^16").click()
        agrees(view, scale_exponent=16)
        view.button("float8_e4m3fn").click()
        agrees(view, scale_exponent=16, format="float8_e4m3fn")
        view.button("Largest safe").click()
        assert " 0 %" in f" {view.cells(0, 'float8_e4m3fn')[2]}" and "No gradient becomes infinite" in view.text(
            "verdict"
        )
        box = view.field("scale").bounding_box()
        view.page.mouse.move(box["x"] + 8, box["y"] + box["height"] / 2)
        view.page.mouse.click(box["x"] + 1, box["y"] + box["height"] / 2)
        agrees(view, scale_exponent=-10, format="float8_e4m3fn")
        view.page.mouse.move(box["x"] + 8, box["y"] + box["height"] / 2)
        view.page.mouse.down()
        view.page.mouse.move(box["x"] + box["width"] - 1, box["y"] + box["height"] / 2, steps=5)
        view.page.mouse.up()
        agrees(view, scale_exponent=40, format="float8_e4m3fn")
        view.field("recording").select_option("cnn_start")
        agrees(view, scale_exponent=40, format="float8_e4m3fn", recording="cnn_start")
        view.button("conv1.0.weight").click()
        assert view.text("title") == "conv1.0.weight"
        view.button("Reset").click()
        agrees(view)


def test_by_keyboard_alone(open_page):
    with open_page({}) as view:
        press, where = view.page.keyboard.press, lambda: view.page.evaluate(f"{FOCUSED}.id || {FOCUSED}.textContent")
        stops = ["recording", "Reset", "scale", "No scaling", "GradScaler’s 2^16", "Largest safe", *FORMATS]
        for stop in stops:
            press("Tab")
            assert where() == stop
            if stop == "scale":
                for key in ("Home", "ArrowRight", "ArrowRight"):
                    press(key)
                agrees(view, scale_exponent=-8)
            elif stop == "GradScaler’s 2^16":
                press("Enter")
            elif stop == "float8_e5m2":
                press("Space")
                assert where() == stop, "the focus stays on the row"
        press("Tab")
        assert view.page.evaluate(f"{FOCUSED}.getAttribute('aria-label')") == "Layer by layer"
        press("Tab")
        press("Tab")
        press("Enter")
        assert where() == view.text("title") == "tokens.weight"
        agrees(view, scale_exponent=16, format="float8_e5m2")


# --- limits and the chart -------------------------------------------------------------------------------------


def test_the_largest_safe_scale_is_marked_on_the_slider(open_page):
    with open_page({}) as view:
        safe = round(math.log2(UnderflowExplorer().report().total().largest_safe_scale("float16")))
        assert f"largest safe: 2^{safe}" in view.text("marks")
        view.button("Largest safe").click()
        assert view.field("scale").input_value() == str(safe)
        flag, slider = view.root.locator(".flag").bounding_box(), view.field("scale").bounding_box()
        thumb = slider["x"] + 8 + (slider["width"] - 16) * (safe + 10) / 50
        assert abs(flag["x"] - thumb) < 3
        assert view.root.locator(".band").count() == 1
        view.field("scale").press("ArrowRight")
        assert "become infinite: GradScaler would skip this step" in view.text("verdict")
        view.button("bfloat16").click()
        assert "▸" in view.text("marks"), "beyond the slider"


def test_the_chart_moves_with_the_scale(open_page):
    with open_page({"group": "tokens.weight"}) as view:
        chart = view.root.locator(".chart svg")
        zones = chart.locator(".zone").evaluate_all("nodes => nodes.map((node) => node.getAttribute('x'))")
        first = float(chart.locator(".bar").first.get_attribute("x"))
        view.field("scale").fill("10")
        moved = float(chart.locator(".bar").first.get_attribute("x"))
        assert moved > first
        assert chart.locator(".zone").evaluate_all("nodes => nodes.map((node) => node.getAttribute('x'))") == zones
        view.field("scale").fill("30")
        assert chart.locator(".bar.infinite").count() > 0 and chart.locator(".bar.zero").count() == 0
        for name in FORMATS:
            view.button(name).click()
            drawn = chart.inner_html()
            assert "NaN" not in drawn and "Infinity" not in drawn


# --- gradients of one's own -----------------------------------------------------------------------------------


def test_a_pasted_report_is_shown(open_page):
    report = linear_report()
    with open_page({"url_state": True, "scale_exponent": 5}) as view:
        view.show(report)
        expect(view.root.locator(".paste .good")).to_have_text("✓ Linear: 2 groups.")
        agrees(view, report, scale_exponent=5)
        assert view.field("recording").locator("option:checked").inner_text() == "Linear"
        view.button("weight").click()
        view.button("GradScaler’s 2^16").click()
        agrees(view, report, scale_exponent=16)
        assert address(view.page) == "", "one's own gradients leave no trace"
        view.field("recording").select_option("cnn_start")
        agrees(view, recording="cnn_start", scale_exponent=16)


def test_a_histogram_in_the_state_is_shown(open_page):
    report = linear_report()
    with open_page(UnderflowExplorer.showing(report).state()) as view:
        agrees(view, report)
        view.button("weight").click()
        view.field("recording").select_option("gpt_start")
        agrees(view, recording="gpt_start")
        view.button("Reset").click()
        agrees(view, report)


@pytest.mark.parametrize(
    ("pasted", "message"),
    [
        ("", "Paste the text that json.dumps(report.export()) printed."),
        ("nonsense", "This is not JSON"),
        (json.dumps(HOSTILE), "Histograms are a JSON object in braces"),
        ("{}", '"format" must be "amp_helpers gradients 1", not undefined.'),
        (json.dumps({"format": HOSTILE}), '"format" must be "amp_helpers gradients 1", not "<img'),
    ],
    ids=range(5),
)
def test_a_bad_paste_is_explained_and_changes_nothing(open_page, pasted, message):
    with open_page(TRAINED) as view:
        view.show(pasted)
        assert message in view.root.locator("#histogram-problem").inner_text()
        assert view.field("histogram").get_attribute("aria-invalid") == "true"
        agrees(view, **TRAINED)
        assert view.page.title() == "page"


def test_hostile_names_are_only_text(open_page):
    data = linear_report().export()
    data["model"] = data["groups"][0]["name"] = HOSTILE
    with open_page({}) as view:
        view.show(json.dumps(data))
        expect(view.root.locator(".paste .good")).to_contain_text("<img")
        view.button(HOSTILE).click()
        assert view.text("title") == HOSTILE and view.page.title() == "page"
        assert view.root.locator("img").count() == 0


# --- what is said, and the address -----------------------------------------------------------------------------


def test_a_summary_is_spoken_once_and_late(open_page):
    with open_page({}) as view:
        live = view.root.locator("output[aria-live=polite]")
        assert live.inner_text() == ""
        view.page.clock.install(time=0)
        view.page.clock.pause_at(60_000)
        for k in ("1", "2", "3"):
            view.field("scale").fill(k)
            view.page.clock.run_for(500)
            assert live.inner_text() == ""
        view.page.clock.run_for(600)
        expect(live).to_contain_text("Loss scale 2^3, float16:")
        assert view.field("scale").get_attribute("aria-valuetext") == "2^3 = 8"


def test_state_in_the_address_round_trips(open_page):
    with open_page({"url_state": True}, {}) as view:
        assert address(view.page) == "", "a page just opened has a plain address"
        View(view.page, 1).button("bfloat16").click()
        assert address(view.page) == "", "only the main widget owns the address"
        view.field("recording").select_option("cnn_trained")
        view.field("scale").fill("20")
        view.button("float8_e4m3fn").click()
        view.button("conv1.0.weight").click()
        assert address(view.page) == "#underflow=cnn_trained:20:float8_e4m3fn:conv1.0.weight"
        view.page.reload()
        again = View(view.page)
        agrees(again, **TRAINED)
        assert again.text("title") == "conv1.0.weight"
        again.page.evaluate("location.hash = '#underflow=gpt_start:0:float16:'")
        expect(again.field("recording")).to_have_value("gpt_start")
        agrees(again, recording="gpt_start")
        again.page.evaluate("location.hash = '#underflow=<img>:0:float16:'")
        agrees(again, recording="gpt_start")


# --- for every reader ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(open_page, theme):
    with open_page({}, TRAINED, theme=theme) as view:
        view.show("nonsense")
        assert findings(view.page) == []
        view.root.locator(".hint").first.evaluate("node => node.append(document.createElement('button'))")
        assert findings(view.page), "axe must notice a button without a name"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_bars_have_contrast_and_patterns(open_page, theme):
    with open_page({"format": "float8_e4m3fn", "scale_exponent": 12}, theme=theme) as view:
        paper = luminance(view.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert (paper < 0.1) == (theme == "dark")
        patterns = set()
        for part in ("zero", "subnormal", "normal", "infinite"):
            swatch = view.root.locator(f".swatch.{part}")
            ink = luminance(swatch.evaluate("node => getComputedStyle(node).backgroundColor"))
            assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) >= 3, part
            patterns.add(swatch.evaluate("node => getComputedStyle(node).backgroundImage"))
        assert len(patterns) == 4, "the classes differ without colour"


@pytest.mark.parametrize("state", [{}, TRAINED, {"scale_exponent": 40}], ids=str)
def test_a_phone_shows_everything(open_page, state):
    with open_page(state, **PHONE) as view:
        view.show("nonsense")
        assert overflow(view.page) <= 0
        controls = "button:visible, textarea:visible, input:visible, select:visible, summary:visible"
        for control in view.root.locator(controls).all():
            box = control.bounding_box()
            assert box["width"] >= 44 and box["height"] >= 44 and box["x"] >= 0 and box["x"] + box["width"] <= 390
        for cell in view.root.locator("td:visible, tbody th:visible, .flag span, .chart text").all():
            box = cell.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 390, cell.inner_html()
        view.button("No scaling").tap()
        agrees(view, **{**state, "scale_exponent": 0})


@pytest.mark.parametrize("width", [1280, 680, 390])
def test_shares_keep_to_their_column_and_names_break_between_words(open_page, width):
    with open_page({}, viewport={"width": width, "height": 900}) as view:
        wide = "nodes => nodes.filter((node) => node.scrollWidth > node.clientWidth).map((node) => node.textContent)"
        for fmt, k in (("float16", "0"), ("float8_e5m2", "-10"), ("float16", "40")):
            view.button(fmt).click()
            view.field("scale").fill(k)
            assert view.root.locator("td").evaluate_all(wide) == []
        longest = "node => { node.dataset.kind = 'infinite'; node.textContent = '∞ > 99.99 %' }"
        view.root.locator("td.infinite").first.evaluate(longest)
        assert view.root.locator("td").evaluate_all(wide) == []
        pieces = view.root.locator(".pick").evaluate_all(
            "nodes => nodes.map((node) => [...node.childNodes].filter((one) => one.data).map((text) => "
            "{ const range = document.createRange(); range.selectNodeContents(text); "
            "return [text.data, range.getClientRects().length] }))"
        )
        assert ["blocks.", "0.", "norm1.", "weight"] in [[text for text, _ in name] for name in pieces]
        assert all(lines == 1 for name in pieces for text, lines in name if " " not in text), pieces


def test_the_theme_may_change_while_the_page_is_open(open_page):
    with open_page({}) as view:
        color = "node => getComputedStyle(node).fill"
        bar = view.root.locator(".chart .bar.normal").first
        light = bar.evaluate(color)
        view.page.evaluate("document.documentElement.dataset.theme = 'dark'")
        view.root.locator(".amp.dark").wait_for()
        assert luminance(bar.evaluate(color)) > luminance(light)
