"""The GradScaler player in headless Chromium, on a small page of our own with the real host."""

import json
import re

import pytest
from browser import overflow, visit
from playwright.sync_api import expect
from torch_scaler_traces import trace
from widget_page import FOCUSED, HOSTILE, PHONE, SHADOW, WidgetView, address, findings, luminance, write_page

from amp_helpers.widgets import GradScalerPlayer

pytestmark = pytest.mark.browser

SAWTOOTH = {"growth_interval": 20, "overflow_above": 2.0**17, "steps": "s200"}


class View(WidgetView):
    """What a reader can see and do."""

    def text(self, part):
        return self.root.locator(f".{part}").first.inner_text()

    def rows(self):
        """The cells of the last steps, the newest first."""
        return [row.locator("th, td").all_inner_texts() for row in self.root.locator("tbody tr").all()]

    def replay(self, history):
        """Paste a text, or a history as JSON, and press Replay."""
        if self.root.locator("details:not([open])").count():
            self.root.locator("summary").click()
        self.field("history").fill(history if isinstance(history, str) else json.dumps(history))
        self.button("Replay").click()


#: For the fixture `open_page`.
KIND, VIEW = "gradscaler_player", View


def shown(scale):
    """A scale as the page's headline names it."""
    name, _, value = scale.replace("−", "-").partition(" = ")
    return float(value or name)


def agrees(view, **state):
    """The page says what Python finds for this state."""
    player = GradScalerPlayer(**state)
    played = player.played()
    scale = played[-1].scale if played else player.init_scale
    after, scale_text = re.fullmatch(r"After ([\d,]+) steps? the scale is\s+(.*)", view.text("headline"), re.S).groups()
    assert int(after.replace(",", "")) == len(played)
    assert shown(scale_text) == pytest.approx(scale, rel=1e-3)
    tracker = played[-1].growth_tracker if played else player.init_growth_tracker
    assert view.text("tracker").strip() == f"Growth tracker: {tracker:,} of {player.growth_interval:,}"
    newest = [(f"{n:,}", step) for n, step in enumerate(played, 1)][::-1][:6]
    assert [(row[0], "skipped" in row[2], row[3]) for row in view.rows()] == [
        (n, step.skipped, f"{step.growth_tracker:,}") for n, step in newest
    ]


def test_it_comes_to_life_and_agrees_with_python(open_page):
    with open_page({}, SAWTOOTH) as view:
        assert view.page.get_by_text("the fallback").count() == 0
        agrees(view)
        assert view.text("verdict") == "Nothing has happened yet."
        second = View(view.page, 1)
        agrees(second, **SAWTOOTH)
        assert second.text("verdict") == "8 of 200 steps skipped."


def test_without_scripts_the_fallback_tells_the_same(site, browser):
    folder, home = site
    path = folder / write_page(folder, "noscript")
    twin = GradScalerPlayer(**SAWTOOTH).twin()
    path.write_text(path.read_text(encoding="utf-8").replace("<h2", twin + "<h2"), encoding="utf-8")
    with visit(browser, home, java_script_enabled=False, viewport=PHONE["viewport"]) as page:
        page.goto(home + path.name)
        expect(page.locator("amp-widget table")).to_be_visible()
        assert "200 steps: scale 2^17, 8 skipped" in page.locator("amp-widget").inner_text()
        assert overflow(page) <= 0


def test_a_state_that_makes_no_sense_keeps_its_fallback(site, browser):
    folder, home = site
    name = write_page(folder, "broken", {"kind": KIND, "steps": HOSTILE}, {"kind": KIND})
    with visit(browser, home) as page:
        page.goto(home + name)
        View(page)
        assert page.get_by_text("the fallback").count() == 1 and page.title() == "page"
        assert len(page.messages) == 1 and "steps cannot be read" in page.messages[0]


# --- by mouse and by keyboard --------------------------------------------------------------------------------------


def test_by_mouse(open_page):
    with open_page({}) as view:
        view.button("Step").click()
        view.button("Inject an inf").click()
        agrees(view, steps="si")
        view.field("growth_interval").fill("3")
        view.button("Step").click()
        view.button("Step").click()
        view.button("Step").click()
        agrees(view, steps="sis3", growth_interval=3)
        assert "▲ stepped, scale → 2^16" in view.rows()[0][2] and "▼ skipped, scale → 2^15" in view.rows()[3][2]
        view.field("many").fill("40")
        view.button("Run 40 steps").click()
        agrees(view, steps="sis43", growth_interval=3)
        view.field("growth_factor").fill("1.5")
        view.field("backoff_factor").fill("1/4")
        view.field("init_scale").fill("2^10")
        agrees(view, steps="sis43", growth_interval=3, growth_factor=1.5, backoff_factor=0.25, init_scale=1024.0)
        view.button("Sawtooth").click()
        agrees(view, **SAWTOOTH)
        expect(view.button("Sawtooth")).to_have_attribute("aria-pressed", "true")
        view.button("Reset").click()
        agrees(view)


def test_by_keyboard_alone(open_page):
    with open_page({}) as view:
        press, where = view.page.keyboard.press, lambda: view.page.evaluate(f"{FOCUSED}.id || {FOCUSED}.textContent")
        stops = ["Too high", "Sawtooth", "The cliff", "Reset", "init_scale", "growth_factor", "backoff_factor"]
        stops += ["growth_interval", "overflow_above", "Step", "Inject an inf", "many", "Run 7 steps"]
        for stop in [*stops, "Replay the history of a run", "history", "Replay"]:
            press("Tab")
            assert where() == stop
            if stop == "growth_interval":
                press("Control+a")
                view.page.keyboard.type("4")
            elif stop == "Step":
                press("Space")
            elif stop == "Inject an inf":
                press("Enter")
            elif stop == "many":
                press("Control+a")
                view.page.keyboard.type("7")
            elif stop == "Run 7 steps":
                press("Enter")
                agrees(view, steps="sis7", growth_interval=4)
            elif stop == "Replay the history of a run":
                press("Enter")
            elif stop == "history":
                view.page.keyboard.type(json.dumps(trace([0, 1, 0], growth_interval=2)))
            elif stop == "Replay":
                press("Enter")
        agrees(view, steps="sis", growth_interval=2)


def test_it_stops_at_the_last_step(open_page):
    with open_page({"steps": "s99999"}) as view:
        view.button("Run 500 steps").click()
        agrees(view, steps="s100000")
        for name in ("Step", "Inject an inf", "Run 500 steps"):
            expect(view.button(name)).to_be_disabled()


# --- the cliff -------------------------------------------------------------------------------------------------


def test_over_the_cliff(open_page):
    with open_page({}) as view:
        assert view.root.locator(".chart .cliff").count() == 0
        view.button("The cliff").click()
        agrees(view, steps="s10i144")
        assert view.text("verdict") == "✕ Beyond the cliff: the next step without an inf ruins the weights."
        assert "1/scale is infinite in float32" in view.text("panel")
        assert "turns every 0 into NaN and everything else into infinity" in view.text("panel")
        assert view.root.locator(".chart .cliff").count() == 1
        assert view.root.locator(".chart .ruined").count() == 0
        view.button("Inject an inf").click()
        assert "Beyond the cliff" in view.text("verdict"), "a skipped step leaves the weights alone"
        view.button("Step").click()
        assert view.text("verdict").startswith("✕ Step 156 wrote infinite or NaN weights")
        assert view.root.locator(".chart .ruined").count() == 1 and "✕ weights ruined" in view.rows()[0][2]


# --- a pasted history ------------------------------------------------------------------------------------------


def test_a_pasted_history_is_replayed(open_page):
    history = trace([0] * 12 + [1, 1, 0, 0], {14: 100.0}, growth_interval=5, growth_factor=3.0)
    with open_page({}) as view:
        view.replay(history)
        expect(view.root.locator(".paste .good")).to_contain_text("exactly what these settings give")
        agrees(view, steps="s12i2=100;s", growth_interval=5, growth_factor=3.0)
        assert shown(view.root.locator(".headline .value").inner_text()) == history["scale"][-1]
        view.field("growth_interval").fill("2000")
        agrees(view, steps="s12i2=100;s", growth_factor=3.0)


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ("", "Paste the text that json.dumps(scaler.export()) printed."),
        ("nonsense", "This is not JSON"),
        (json.dumps(HOSTILE), "A history is a JSON object in braces"),
        ({}, "The history lacks init_scale, growth_factor"),
        (trace([0]) | {HOSTILE: 1}, 'Unknown key "<img src=x'),
        (trace([0, 1]) | {"scale": [65536.0, 65536.0]}, "After iteration 1 the history has scale 65536"),
        (trace([0]) | {"growth_factor": 0.5}, "growth_factor must be a number above 1, not 0.5"),
    ],
    ids=range(7),
)  # fmt: skip
def test_a_bad_paste_is_explained_and_changes_nothing(open_page, history, message):
    with open_page(SAWTOOTH) as view:
        view.replay(history)
        assert message in view.root.locator("#history-problem").inner_text()
        assert view.field("history").get_attribute("aria-invalid") == "true"
        agrees(view, **SAWTOOTH)
        assert view.page.title() == "page"
        view.replay(trace([0, 1]))
        assert view.root.locator("#history-problem").inner_text() == ""
        agrees(view, steps="si")


# --- typing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("init_scale", HOSTILE, "<img src=x"),
        ("init_scale", "0", "init_scale must be a number above 0 that float32 holds, not 0"),
        ("init_scale", "inf", "Type a finite number"),
        ("growth_factor", "1", "growth_factor must be a number above 1, not 1"),
        ("backoff_factor", "2", "backoff_factor must be a number from 0 to below 1, not 2"),
        ("growth_interval", "1.5", "growth_interval must be a whole number from 1"),
        ("growth_interval", "", "is not a number"),
        ("overflow_above", "-1", "overflow_above must be 0 (never) or a scale, not -1"),
        ("many", "0", "Type a whole number from 1 to 100000."),
    ],
)
def test_what_cannot_be_read_is_said_and_changes_nothing(open_page, field, text, message):
    with open_page(SAWTOOTH) as view:
        before = view.field(field).input_value()
        view.field(field).fill(text)
        assert message in view.field(f"{field}-problem").inner_text()
        assert view.field(field).get_attribute("aria-invalid") == "true"
        agrees(view, **SAWTOOTH)
        assert view.page.title() == "page"
        view.field(field).blur()
        assert view.field(field).get_attribute("aria-invalid") == "false"
        assert view.field(field).input_value() == before


# --- what is said ------------------------------------------------------------------------------------------------


def test_the_chart_follows(open_page):
    with open_page(SAWTOOTH) as view:
        chart = view.root.locator(".chart svg")
        assert chart.locator(".skipped").count() == 8 and chart.locator(".grew").count() == 9
        shapes = {chart.locator(f".{kind}").first.get_attribute("d") for kind in ("skipped", "grew")}
        assert len(shapes) == 2, "markers differ in shape"
        view.button("Sawtooth").click()
        view.field("overflow_above").fill("never")
        assert chart.locator(".limit").count() == 0 and chart.locator(".skipped").count() == 0


@pytest.mark.parametrize("steps", ["", "i", "i170s", "s3=Infinity;=NaN;s", "s100000"])
def test_no_scale_breaks_the_chart(open_page, steps):
    with open_page({"steps": steps, "growth_interval": 1}) as view:
        drawn = view.root.locator(".chart svg").inner_html()
        assert 'class="line"' in drawn and "NaN" not in drawn and "Infinity" not in drawn


def test_a_summary_is_spoken_once_and_late(open_page):
    with open_page({}) as view:
        live = view.root.locator("output[aria-live=polite]")
        view.page.evaluate(
            "window.said = []; new MutationObserver(() => said.push(1))"
            f".observe({SHADOW}.querySelector('output'), {{childList: true}})"
        )
        assert live.inner_text() == ""
        view.page.clock.install(time=0)
        view.page.clock.pause_at(60_000)
        for _ in range(3):
            view.button("Step").click()
            view.page.clock.run_for(500)
            assert live.inner_text() == ""
        view.page.clock.run_for(600)
        expect(live).to_have_text("After 3 steps: scale 2^16 = 65536, growth tracker 3 of 2,000. 0 of 3 steps skipped.")
        assert view.page.evaluate("said.length") == 1


# --- the address ---------------------------------------------------------------------------------------------------


def test_state_in_the_address_round_trips(open_page):
    with open_page({"url_state": True}, {}) as view:
        assert address(view.page) == "", "a page just opened has a plain address"
        View(view.page, 1).button("Step").click()
        assert address(view.page) == "", "only the main widget owns the address"
        view.field("growth_interval").fill("20")
        view.button("Inject an inf").click()
        assert address(view.page) == "#scaler=65536:2:0.5:20:0:0:i"
        view.page.reload()
        again = View(view.page)
        agrees(again, growth_interval=20, steps="i")
        again.page.evaluate("location.hash = '#scaler=65536:2:0.5:20:0:131072:s200'")
        expect(again.root.locator(".headline")).to_contain_text("200")
        agrees(again, **SAWTOOTH)
        again.page.evaluate("location.hash = '#scaler=<img>:2:0.5:20:0:0:s'")
        agrees(again, **SAWTOOTH)


# --- for every reader ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(open_page, theme):
    with open_page({"steps": "i150s"}, SAWTOOTH, theme=theme) as view:
        view.field("init_scale").fill("nonsense")
        view.replay("nonsense")
        assert findings(view.page) == []
        view.root.locator(".hint").first.evaluate("node => node.append(document.createElement('button'))")
        assert findings(view.page), "axe must notice a button without a name"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lines_and_marks_have_contrast(open_page, theme):
    with open_page(SAWTOOTH | {"steps": "s40i150s"}, theme=theme) as view:
        paper = luminance(view.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert (paper < 0.1) == (theme == "dark")
        for mark, paint in ((".line", "stroke"), (".skipped", "fill"), (".grew", "stroke"), (".ruined", "stroke")):
            color = view.root.locator(f".chart {mark}").first.evaluate(f"node => getComputedStyle(node).{paint}")
            ink = luminance(color)
            assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) >= 3, mark


@pytest.mark.parametrize("state", [{}, SAWTOOTH, {"steps": "s10i150s"}], ids=str)
def test_a_phone_shows_everything(open_page, state):
    with open_page(state, **PHONE) as view:
        view.replay("nonsense")
        assert overflow(view.page) <= 0
        controls = "button:visible, textarea:visible, input:visible, summary:visible"
        for control in view.root.locator(controls).all():
            box = control.bounding_box()
            assert box["width"] >= 44 and box["height"] >= 44 and box["x"] >= 0 and box["x"] + box["width"] <= 390
        for cell in view.root.locator("td:visible, th:visible").all():
            box = cell.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 390
        for label in view.root.locator(".chart text").all():
            box = label.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 391, label.inner_html()
        view.button("Step").tap()
        agrees(view, **{**state, "steps": state.get("steps", "") + "s"})


@pytest.mark.parametrize("state", [SAWTOOTH, {"steps": "s99990i10"}], ids=str)
def test_no_heading_of_the_last_steps_breaks_inside_a_word(open_page, state):
    with open_page(state, **PHONE) as view:
        lines = view.root.locator("thead th").evaluate_all(
            "nodes => nodes.flatMap(({ firstChild: text }) => [...text.data.matchAll(/\\S+/g)].map((word) => "
            "{ const range = document.createRange(); range.setStart(text, word.index); "
            "range.setEnd(text, word.index + word[0].length); return [word[0], range.getClientRects().length] }))"
        )
        assert len(lines) == 8 and all(count == 1 for _, count in lines), lines
        assert overflow(view.page) <= 0


def test_the_theme_may_change_while_the_page_is_open(open_page):
    with open_page(SAWTOOTH) as view:
        color = "node => getComputedStyle(node).stroke"
        line = view.root.locator(".chart .line").first
        light = line.evaluate(color)
        view.page.evaluate("document.documentElement.dataset.theme = 'dark'")
        view.root.locator(".amp.dark").wait_for()
        assert luminance(line.evaluate(color)) > luminance(light)
