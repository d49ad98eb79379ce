"""The roofline in headless Chromium, on a small page of our own with the real host."""

import pytest
from browser import overflow, visit
from playwright.sync_api import expect
from widget_page import HOSTILE, PHONE, WidgetView, address, findings, luminance, write_page

from amp_helpers.plots import DTYPE_STYLE
from amp_helpers.widgets import Roofline
from amp_helpers.widgets.roofline import BYTES, stated

pytestmark = pytest.mark.browser

GPUS = stated()
#: Made up for these tests; nothing like it is stored.
RECORD = {
    "gpu": "H200",
    "line": "gemm: a machine of the tests; copy: the same",
    "gemm": [[dtype, n, n / 100] for dtype in BYTES for n in (1024, 8192)],
    "copy": 4.25,
}
FOCUSED = "document.querySelector('amp-widget').firstChild.firstChild.shadowRoot.activeElement"


class View(WidgetView):
    """What a reader can see and do."""

    def field(self, name):
        return self.root.get_by_role("textbox", name=name, exact=True)

    @property
    def gpu(self):
        return self.root.get_by_role("combobox", name="GPU")

    @property
    def title(self):
        return self.root.locator(".headline .value").inner_text()

    @property
    def headline(self):
        return self.root.locator(".headline").inner_text()

    def numbers(self):
        """The table of the model, by quantity."""
        rows = self.root.locator("table").first.locator("tbody tr").all()
        return {row.locator("th").inner_text(): row.locator("td").inner_text() for row in rows}


#: For the fixture `open_page`.
KIND, VIEW = "roofline", View


@pytest.fixture
def open_roofline(open_page):
    """`open_page` with the stated rates in every state."""
    return lambda *states, **options: open_page(
        *({"gpus": GPUS, "records": [], **state} for state in states), **options
    )


def three(x):
    return f"{float(f'{x:.3g}'):,.10g}"


def agrees(view, **traits):
    """The page shows what Python finds."""
    found, shown = Roofline(**traits).ceiling(), view.numbers()
    assert view.title == ("Memory-bound" if found.bound == "memory" else "Compute-bound")
    assert shown["Arithmetic intensity"] == f"{three(found.intensity)} FLOP/B"
    assert shown["Ceiling at this intensity"] == f"{three(found.flops_per_s / 1e12)} TFLOP/s"
    assert shown["Ridge: intensity where the roof is reached"] == f"{three(found.ridge)} FLOP/B"
    number, unit = shown["Time at the ceiling"].split()
    scale = {"s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}[unit]
    assert float(number.replace(",", "")) * scale == pytest.approx(found.seconds, rel=0.006)


def test_it_comes_to_life_and_agrees_with_python(open_roofline):
    second = {"gpu": "T4", "dtype": "float16", "op": "linear", "batch": 1}
    with open_roofline({}, second) as view:
        assert view.page.get_by_text("the fallback").count() == 0
        agrees(view)
        agrees(View(view.page, 1), **second)
        assert "No record yet" in view.root.locator(".record").inner_text()
        assert "% of the dense peak" in view.headline


def test_without_scripts_the_fallback_tells_the_same(site, browser):
    folder, home = site
    path = folder / write_page(folder, "roofline-noscript")
    twin = Roofline(op="elementwise").twin()
    path.write_text(path.read_text(encoding="utf-8").replace("<h2", twin + "<h2"), encoding="utf-8")
    with visit(browser, home, java_script_enabled=False, viewport=PHONE["viewport"]) as page:
        page.goto(home + path.name)
        expect(page.locator("amp-widget table").first).to_be_visible()
        assert "elementwise in bfloat16 on A100 80 GB" in page.locator("amp-widget").inner_text()
        assert overflow(page) <= 0


def test_a_state_that_makes_no_sense_keeps_its_fallback(site, browser):
    folder, home = site
    states = ({"gpu": HOSTILE, "gpus": GPUS}, {}, {"gpus": GPUS})
    name = write_page(folder, "roofline-broken", *({"kind": KIND, **state} for state in states))
    with visit(browser, home) as page:
        page.goto(home + name)
        View(page)
        assert page.get_by_text("the fallback").count() == 2 and page.title() == "page"
        assert "unknown gpu" in page.messages[0] and "no GPUs" in page.messages[1]


def test_by_mouse(open_roofline):
    with open_roofline({}) as view:
        view.button("Batch of one").click()
        agrees(view, op="linear", batch=1)
        assert "launching its kernel" not in view.headline
        view.gpu.select_option("H200")
        agrees(view, gpu="H200", op="linear", batch=1)
        view.button("float8_e4m3fn").click()
        agrees(view, gpu="H200", op="linear", batch=1, dtype="float8_e4m3fn")
        view.button("Elementwise sum").click()
        expect(view.button("bfloat16")).to_have_attribute("aria-pressed", "true")  # the nearest that it has
        expect(view.button("float8_e4m3fn")).to_be_disabled()
        agrees(view, gpu="H200", op="elementwise")
        assert "float32 outside the matrix units" in " ".join(view.numbers())
        view.button("Small product").click()
        assert "launching its kernel" in view.headline
        view.gpu.select_option("T4")
        expect(view.button("float16")).to_have_attribute("aria-pressed", "true")
        expect(view.button("bfloat16")).to_be_disabled()
        agrees(view, gpu="T4", dtype="float16", m=128, n=128, k=128)
        view.button("Reset").click()
        agrees(view)


def test_by_keyboard_alone(open_roofline):
    with open_roofline({}) as view:
        press, where = view.page.keyboard.press, lambda: view.page.evaluate(f"{FOCUSED}.id || {FOCUSED}.textContent")
        stops = ["gpu", "Matrix product", "Linear layer", "Elementwise sum", "Reset"]
        stops += ["float32", "tfloat32", "float16", "bfloat16", "float8_e4m3fn", "m", "n", "k", "Large product"]
        for stop in stops:
            press("Tab")
            assert where() == stop
            if stop == "gpu":
                press("ArrowDown")  # to the next GPU
            elif stop == "float16":
                press("Space")
            elif stop == "m":
                press("Control+a")
                view.page.keyboard.type("64")
        agrees(view, gpu="H100 SXM", dtype="float16", m=64)
        press("Tab")
        press("Enter")
        agrees(view, gpu="H100 SXM", dtype="float16", m=128, n=128, k=128)


def test_a_size_that_makes_no_sense_is_named_and_changes_nothing(open_roofline):
    with open_roofline({}) as view:
        for text in ("0", "x", HOSTILE, "1000001", "1.5", ""):
            view.field("Rows m").fill(text)
            expect(view.field("Rows m")).to_have_attribute("aria-invalid", "true")
            assert "m must be a whole number from 1 to 1,000,000" in view.root.locator("#m-problem").inner_text()
            agrees(view)
        view.field("Rows m").fill("8k")
        agrees(view, m=8000)
        view.field("Columns n").click()
        expect(view.field("Rows m")).to_have_value("8,000")
        assert view.page.title() == "page"


def test_a_record_is_shown_beside_the_stated_rates(open_roofline):
    with open_roofline({"gpu": "H200", "records": [RECORD]}) as view:
        panel = view.root.locator(".record")
        assert "a machine of the tests" in panel.inner_text() and "4.25 TB/s, 88.5 %" in panel.inner_text()
        assert panel.locator("tbody tr").all_inner_texts() == [
            "1,024\t" + "\t".join(["10.2"] * 5),
            "8,192\t" + "\t".join(["81.9"] * 5),
        ]
        assert view.root.locator("svg .marker.measured").count() == 1 + len(RECORD["gemm"])  # and the legend's
        view.gpu.select_option("T4")
        assert "No record yet" in panel.inner_text() and view.root.locator("svg .marker.measured").count() == 0


def test_the_chart_has_a_roof_per_dtype_with_marker_and_line_style(open_roofline):
    with open_roofline({"gpu": "H200"}) as view:
        chart = view.root.locator(".chart svg")
        assert "2,730 operations per byte" not in chart.get_attribute("aria-label")  # n = 4096 here
        lines = {dtype: chart.locator(f".line.{dtype}") for dtype in BYTES}
        assert all(line.count() == 1 for line in lines.values())
        looks = {(line.get_attribute("stroke-dasharray"), chart.locator(f".marker.{dtype}").first.get_attribute("d"))
                 for dtype, line in lines.items()}  # fmt: skip
        assert len(looks) == len(BYTES)
        assert "chosen" in lines["bfloat16"].get_attribute("class")


def test_state_in_the_address(open_roofline):
    with open_roofline({"url_state": True}, hash="#roofline=T4:float16:matmul:64:32:16") as view:
        expect(view.gpu).to_have_value("T4")
        agrees(view, gpu="T4", dtype="float16", m=64, n=32, k=16)
        view.button("float32").click()
        assert address(view.page) == "#roofline=T4:float32:matmul:64:32:16"
        view.page.evaluate("location.hash = '#roofline=H200:float8_e4m3fn:linear:1:2:3'")
        expect(view.gpu).to_have_value("H200")
        agrees(view, gpu="H200", dtype="float8_e4m3fn", op="linear", batch=1, in_features=2, out_features=3)
        for wrong in ("#roofline=T4:float16:matmul:0:1:1", "#roofline=P100:float16:matmul:1:1:1", "#end"):
            view.page.evaluate(f"location.hash = '{wrong}'")
            view.page.wait_for_timeout(100)
            agrees(view, gpu="H200", dtype="float8_e4m3fn", op="linear", batch=1, in_features=2, out_features=3)


def test_a_change_is_announced(open_roofline):
    with open_roofline({}) as view:
        said = view.root.locator("output")
        view.page.wait_for_timeout(900)
        expect(said).to_have_text("")
        view.button("Sum of two tensors").click()
        expect(said).to_contain_text("Elementwise sum in bfloat16 on A100 80 GB is memory-bound")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_axe_width_and_targets(open_roofline, theme, size):
    context = PHONE if size == "phone" else {"viewport": {"width": 1100, "height": 900}}
    with open_roofline({"gpu": "H200", "records": [RECORD]}, theme=theme, **context) as view:
        view.root.locator("summary").click()
        assert "NVIDIA H200 data sheet" in view.root.locator(".notes").inner_text()
        assert findings(view.page) == [] and overflow(view.page) <= 0
        for target in view.root.locator("button, input, select, summary").all():
            if target.is_visible():
                assert target.bounding_box()["height"] >= 44, target.evaluate("node => node.outerHTML")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_dtype_has_the_books_hue(open_roofline, theme):
    with open_roofline({"gpu": "H200"}, theme=theme) as view:
        for dtype in ("tfloat32", "bfloat16", "float16", "float8_e4m3fn"):
            color = view.root.locator(f".chart .line.{dtype}").evaluate("node => getComputedStyle(node).stroke")
            book = [int(DTYPE_STYLE[dtype]["color"][i : i + 2], 16) for i in (1, 3, 5)]
            shown = [int(part) for part in color[4:-1].split(",")]
            assert max(range(3), key=lambda i: shown[i]) == max(range(3), key=lambda i: book[i]), dtype
            assert min(range(3), key=lambda i: shown[i]) == min(range(3), key=lambda i: book[i]), dtype
            paper = "rgb(255, 255, 255)" if theme == "light" else "rgb(20, 24, 30)"
            lighter, darker = sorted([luminance(color), luminance(paper)], reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) >= 3, dtype


def test_reduced_motion(open_roofline):
    with open_roofline({}, reduced_motion="reduce") as view:
        assert view.button("Reset").evaluate("node => getComputedStyle(node).transitionDuration") == "0s"
