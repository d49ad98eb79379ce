"""The dtype flow in headless Chromium, on a small page of our own with the real host."""

import pytest
import torch
from browser import overflow, visit
from playwright.sync_api import expect
from torch import nn
from widget_page import HOSTILE, PHONE, WidgetView, findings, luminance, write_page

from amp_helpers.models import TransformerBlock
from amp_helpers.plots import DTYPE_STYLE
from amp_helpers.tracing import trace
from amp_helpers.widgets import DtypeFlow
from amp_helpers.widgets.dtype_flow import DIRECTIONS

pytestmark = pytest.mark.browser


def recorded(model, x, dtype=torch.bfloat16):
    with trace(model) as t:
        with torch.autocast("cpu", dtype=dtype):
            result = model(x)
        result.float().square().mean().backward()
    return DtypeFlow(t)


FLOW = recorded(TransformerBlock(width=64, heads=4), torch.randn(2, 16, 64))
FORWARD, BACKWARD = (FLOW.table(direction).rows for direction in DIRECTIONS)
CASTS = [number for number, row in enumerate(FORWARD) if row[3]]


class View(WidgetView):
    """What a reader can see and do."""

    @property
    def list(self):
        return self.root.get_by_role("listbox")

    @property
    def rows(self):
        return self.root.get_by_role("option")

    @property
    def panel(self):
        return " ".join(self.root.get_by_role("region", name="The selected row").inner_text().split())

    @property
    def selected(self):
        """The number of the row that is selected, which the list names as its active one."""
        numbers = self.rows.evaluate_all("all => all.flatMap((n, i) => n.ariaSelected === 'true' ? [i] : [])")
        assert len(numbers) == 1 and self.list.get_attribute("aria-activedescendant") == f"row-{numbers[0]}"
        return numbers[0]

    def told(self, number):
        """A row as text: name and module, dtypes, casts."""
        row = self.rows.nth(number)
        first, dtypes = row.locator(".text > :first-child").inner_text(), row.locator(".dtypes").inner_text()
        return first, dtypes, "; ".join(" ".join(text.split()) for text in row.locator(".castline").all_inner_texts())


#: For the fixture `open_page`.
KIND, VIEW = "dtype_flow", View


def agrees(view, expected):
    """Every row shows what Python's table says."""
    assert view.rows.count() == len(expected)
    for number, (module, name, dtypes, casts) in enumerate(expected):
        assert view.told(number) == (f"{name} {module}", dtypes, casts)


def test_it_comes_to_life_and_agrees_with_python(open_page):
    with open_page(FLOW.state(), {**FLOW.state(), "direction": "backward", "selected": 2}) as view:
        assert view.page.get_by_text("the fallback").count() == 0
        agrees(view, FORWARD)
        text = " ".join(view.root.locator(".total, .total + .hint").all_inner_texts())
        assert text == FLOW.notes("forward")
        assert view.root.locator(".region").all_inner_texts() == ["Inside autocast, bfloat16", "Outside of autocast"]
        second = View(view.page, 1)
        agrees(second, BACKWARD)
        assert second.selected == 2 and second.root.locator(".region").count() == 0


def test_lines_cross_where_the_dtype_changes(open_page):
    """A thick line for a cast, a dashed one for an op that changes the dtype by itself, at the lanes of the dtypes."""
    with open_page(FLOW.state()) as view:
        for number, row in enumerate(FORWARD):
            given, made = (dtypes.split(", ") for dtypes in row[2].split(" → "))
            lines = view.rows.nth(number).locator("line.flow")
            kinds = [
                "stay" if start == end else "cast" if f"{start} → {end}" in row[3] else "change"
                for start in given
                for end in made
            ]
            assert [
                name.removeprefix("flow ") for name in lines.evaluate_all("all => all.map(n => n.className.baseVal)")
            ] == kinds
            assert view.rows.nth(number).locator(".lanes .marker").count() == len(given) + len(made)
            ends = lines.evaluate_all("all => all.map(n => [n.getAttribute('x1'), n.getAttribute('x2')])")
            lanes = {"float32": "20", "bfloat16": "60"}
            assert ends == [[lanes[start], lanes[end]] for start in given for end in made]


def test_bars_are_as_long_as_the_bytes(open_page):
    with open_page(FLOW.state()) as view:
        bars = view.root.locator(".bar").evaluate_all("all => all.map(n => n.getBoundingClientRect().width)")
        flow = FLOW.flow
        most = [sum(flow["ops"][i][5] for i in row[6][::2] if flow["ops"][i][1]) for row in flow["forward"]]
        assert len(bars) == len(CASTS)
        for width, number in zip(bars, CASTS, strict=True):
            assert width / max(bars) == pytest.approx(most[number] / max(most), abs=0.02)


def test_by_mouse(open_page):
    with open_page(FLOW.state()) as view:
        view.rows.nth(1).click()
        assert view.selected == 1
        for part in (
            "linear in qkv Row 2 of 13, forward. float32 → bfloat16 Called inside autocast to bfloat16.",
            "It read and wrote 129 kB, 87.2 kB of it for casts. 786 kFLOP.",
            "_to_copy float32 [192, 64] → bfloat16 [192, 64] cast by autocast, 73.7 kB",
            "addmm bfloat16 [192], [32, 64], [64, 192] → bfloat16 [32, 192] 41.3 kB read and written, 786 kFLOP",
        ):
            assert part in view.panel
        view.button("Next cast").click()
        assert view.selected == CASTS[1]
        for _ in CASTS[1:]:
            view.button("Next cast").click()
        assert view.selected == CASTS[0]  # around the end
        view.button("Backward").click()
        expect(view.button("Backward")).to_have_attribute("aria-pressed", "true")
        agrees(view, BACKWARD)
        assert view.selected == 0 and "MeanBackward0 in (outside) Row 1 of 17, backward." in view.panel
        assert "autocast" not in view.panel
        view.button("Forward").click()
        agrees(view, FORWARD)


def test_by_keyboard_alone(open_page):
    with open_page(FLOW.state()) as view:
        press = view.page.keyboard.press
        press("Tab")
        press("Tab")
        press("Space")
        agrees(view, BACKWARD)
        press("Tab")
        press("Enter")  # the next cast
        first = view.selected
        assert BACKWARD[first][3] and not any(row[3] for row in BACKWARD[:first])
        press("Tab")
        expect(view.list).to_be_focused()
        last = len(BACKWARD) - 1
        for key, expected in (
            ("Home", 0),
            ("ArrowUp", 0),
            ("ArrowDown", 1),
            ("PageDown", 6),
            ("ArrowUp", 5),
            ("PageUp", 0),
            ("End", last),
            ("ArrowDown", last),
        ):
            before = view.page.evaluate("scrollY")
            press(key)
            assert view.selected == expected
            inside = view.list.bounding_box()
            row = view.rows.nth(expected).bounding_box()
            assert inside["y"] - 1 <= row["y"] and row["y"] + row["height"] <= inside["y"] + inside["height"] + 1
            assert view.page.evaluate("scrollY") == before
        assert f"Row {last + 1} of {last + 1}" in view.panel


def test_a_change_is_announced(open_page):
    with open_page(FLOW.state()) as view:
        said = view.root.locator("output")
        view.page.wait_for_timeout(900)
        expect(said).to_have_text("")
        view.list.focus()
        view.page.keyboard.press("ArrowDown")
        expect(said).to_have_text(
            "forward, row 2: linear in qkv. Ran 3 times _to_copy, addmm. Called inside autocast to bfloat16. "
            "It read and wrote 129 kB, 87.2 kB of it for casts. 786 kFLOP."
        )


def test_a_trace_without_casts_or_backward(open_page):
    with trace() as t:
        torch.ones(3) + 1
    with open_page(DtypeFlow(t).state()) as view:
        assert "It has no casts." in view.root.locator(".total").inner_text()
        expect(view.button("Backward")).to_be_disabled()
        expect(view.button("Next cast")).to_be_disabled()


def test_a_long_trace_is_said_to_be_cut(open_page):
    x = torch.randn(4, 8)
    with trace() as t:
        for step in range(500):
            x = x.half() if step % 2 else x.float()
            x = x + 1
    flow = DtypeFlow(t)
    with open_page(flow.state()) as view:
        assert (
            f"Only the first {view.rows.count()} of 999 rows are shown."
            in view.root.locator(".total + .hint").inner_text()
        )
        assert view.told(view.rows.count() - 1)[1:] == tuple(flow.table("forward").rows[-1][2:])


def test_hostile_names_are_text(open_page):
    name = HOSTILE.replace(".", "")
    model = nn.Sequential()
    model.add_module(name, nn.Linear(4, 4))
    with open_page(recorded(model, torch.randn(2, 4)).state()) as view:
        view.page.wait_for_timeout(200)
        assert view.page.title() == "page" and view.root.locator("img").count() == 0
        assert view.told(0)[0] == f"linear {name}" and name in view.panel


def test_without_scripts_the_fallback_tells_the_same(site, browser):
    folder, home = site
    path = folder / write_page(folder, "noscript-flow")
    path.write_text(path.read_text(encoding="utf-8").replace("<h2", FLOW.twin() + "<h2"), encoding="utf-8")
    with visit(browser, home, java_script_enabled=False, viewport={"width": 1100, "height": 900}) as page:
        page.goto(home + path.name)
        assert page.locator("amp-widget table").count() == 2
        assert FLOW.notes("backward") in page.locator("amp-widget").inner_text()


def test_a_state_that_makes_no_sense_keeps_its_fallback(site, browser):
    folder, home = site
    states = ({}, {**FLOW.state(), "selected": 99}, {**FLOW.state(), "direction": HOSTILE}, FLOW.state())
    name = write_page(folder, "broken-flow", *({"kind": KIND, **state} for state in states))
    with visit(browser, home) as page:
        page.goto(home + name)
        View(page)
        assert page.get_by_text("the fallback").count() == 3 and page.title() == "page"
        text = " ".join(page.messages)
        for part in ("selected is 99; choose a row from 0 to 12", "choose from forward, backward"):
            assert part in text


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_axe_width_and_targets(open_page, theme, size):
    context = PHONE if size == "phone" else {"viewport": {"width": 1100, "height": 900}}
    with open_page(FLOW.state(), theme=theme, **context) as view:
        for direction in ("Backward", "Forward"):
            view.button(direction).click()
            assert findings(view.page) == [] and overflow(view.page) <= 0
            for target in [*view.root.get_by_role("button").all(), *view.rows.all()]:
                box = target.bounding_box()
                assert box["height"] >= 44 and box["width"] >= 44
            wide = view.list.evaluate("node => node.scrollWidth - node.clientWidth")
            assert wide <= 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_dtype_has_the_books_hue_a_shape_and_its_name(open_page, theme):
    model, x = nn.Linear(4, 4), torch.randn(2, 4)
    with open_page(recorded(model, x).state(), recorded(model, x, torch.float16).state(), theme=theme) as view:
        shapes = {}
        for root in (view.root, View(view.page, 1).root):
            for tag in root.locator(".legend .tag").all()[:2]:
                marker = tag.locator(".marker")
                color = marker.evaluate("node => getComputedStyle(node).fill")
                name = tag.inner_text()
                shapes[name] = marker.get_attribute("d")
                book = [int(DTYPE_STYLE[name]["color"][i : i + 2], 16) for i in (1, 3, 5)]
                shown = [int(part) for part in color[4:-1].split(",")]
                if max(book) - min(book) > 20:  # float32 is the ink
                    assert sorted(range(3), key=shown.__getitem__) == sorted(range(3), key=book.__getitem__)
                paper = "rgb(255, 255, 255)" if theme == "light" else "rgb(20, 24, 30)"
                lighter, darker = sorted([luminance(color), luminance(paper)], reverse=True)
                assert (lighter + 0.05) / (darker + 0.05) >= 3
        assert set(shapes) == {"float32", "bfloat16", "float16"} and len(set(shapes.values())) == 3


def test_reduced_motion(open_page):
    with open_page(FLOW.state(), reduced_motion="reduce") as view:
        assert view.button("Forward").evaluate("node => getComputedStyle(node).transitionDuration") == "0s"
