"""The memory calculator in headless Chromium, on a small page of our own with the real host."""

import pytest
from browser import overflow, visit
from playwright.sync_api import expect
from widget_page import HOSTILE, PHONE, WidgetView, address, findings, write_page

from amp_helpers.widgets import MemoryCalculator
from amp_helpers.widgets.memory_calculator import CARDS, GB
from amp_helpers.widgets.memory_formula import KINDS, needed

pytestmark = pytest.mark.browser

NAMES = ("Parameters", "Gradients", "Optimizer state", "Cached casts", "Activations")
FOCUSED = "document.querySelector('amp-widget').firstChild.firstChild.shadowRoot.activeElement"


class View(WidgetView):
    """What a reader can see and do."""

    def field(self, name):
        return self.root.get_by_role("textbox", name=name, exact=True)

    @property
    def title(self):
        return self.root.locator(".headline .value").inner_text()

    def kinds(self):
        """Cells of the table, by kind."""
        rows = self.root.locator(".kinds tbody tr").all()
        return {row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in rows}

    def card(self, name):
        return self.root.locator(f"tr[data-card='{name}']").inner_text()


#: For the fixture `open_page`.
KIND, VIEW = "memory_calculator", View


@pytest.fixture
def open_calculator(open_page):
    """`open_page` with the cards in every state."""
    return lambda *states, **options: open_page(*({"cards": CARDS, **state} for state in states), **options)


def three(x):
    rounded = float(f"{x:.3g}")
    if rounded and (rounded < 1e-3 or rounded >= 1e6):
        digits, exponent = f"{rounded:e}".split("e")
        return f"{float(digits):g}e{int(exponent)}"
    return f"{rounded:,.10g}"


def gigabytes(size):
    return "not known" if size is None else three(size / GB)


def agrees(view, **traits):
    """The page shows what Python finds."""
    widget = MemoryCalculator(**traits)
    now, wide, shown = widget.bytes(), widget.bytes(recipe="32-true"), view.kinds()
    for name, kind in zip(NAMES, KINDS, strict=True):
        assert shown[name][:2] == [gigabytes(now[kind]), gigabytes(wide[kind])], kind
    assert shown["Sum"][0] == gigabytes(widget.total)
    temporary = [gigabytes(found["temporary"]) for found in (now, wide)]
    assert shown["Temporary, the loss’s backward"][:2] == temporary
    assert shown["Needed, at least"][:2] == [gigabytes(widget.needed), gigabytes(needed(wide))]
    assert view.title.startswith(f"{gigabytes(widget.total)} GB")
    for card, size in CARDS.items():
        share = widget.needed / (size * GB)
        word = "close to full" if share > 0.9 else "fits"
        if now["activations"] is None:
            word = "fits before activations"
        word = "too small" if share > 1 else word
        assert f"{word}, {three(100 * share)} %" in view.card(card), card


def test_it_comes_to_life_and_agrees_with_python(open_calculator):
    states = [
        {},
        {"model": "mlp", "layers": 3, "width": 4096, "batch": 512, "recipe": "16-mixed", "optimizer": "sgd"},
        {"model": "parameters", "recipe": "bf16-true"},
    ]
    with open_calculator(*states) as view:
        assert view.page.get_by_text("the fallback").count() == 0
        for index, state in enumerate(states):
            agrees(View(view.page, index), **state)
        assert View(view.page, 2).title.endswith("GB and the activations")


def test_without_scripts_the_fallback_tells_the_same(site, browser):
    folder, home = site
    path = folder / write_page(folder, "memory-noscript")
    twin = MemoryCalculator().twin()
    path.write_text(path.read_text(encoding="utf-8").replace("<h2", twin + "<h2"), encoding="utf-8")
    with visit(browser, home, java_script_enabled=False, viewport=PHONE["viewport"]) as page:
        page.goto(home + path.name)
        expect(page.locator("amp-widget table").first).to_be_visible()
        text = page.locator("amp-widget").inner_text()
        assert "GPT of 12 blocks, width 768" in text and gigabytes(MemoryCalculator().total) in text
        assert overflow(page) <= 0


def test_a_state_that_makes_no_sense_keeps_its_fallback(site, browser):
    folder, home = site
    states = ({"recipe": HOSTILE, "cards": CARDS}, {"width": 100, "cards": CARDS}, {}, {"cards": CARDS})
    name = write_page(folder, "memory-broken", *({"kind": KIND, **state} for state in states))
    with visit(browser, home) as page:
        page.goto(home + name)
        View(page)
        assert page.get_by_text("the fallback").count() == 3 and page.title() == "page"
        for number, message in enumerate(("unknown recipe", "not a multiple of 12 heads", "no cards")):
            assert message in page.messages[number]


def test_by_mouse(open_calculator):
    with open_calculator({}) as view:
        view.button("bf16-true").click()
        agrees(view, recipe="bf16-true")
        view.button("On").click()
        agrees(view, recipe="bf16-true", checkpointing=True)
        assert "recomputes a block" in view.root.locator(".amp").inner_text()
        view.button("Plain").click()
        view.button("CPU").click()
        agrees(view, recipe="bf16-true", checkpointing=True, attention="plain", device="cpu")
        view.root.get_by_role("combobox", name="Optimizer").select_option("SGD with momentum")
        agrees(view, recipe="bf16-true", checkpointing=True, attention="plain", device="cpu", optimizer="sgd-momentum")
        view.button("7B parameters").click()
        expect(view.field("Batch")).to_be_hidden()
        expect(view.button("Plain")).to_be_hidden()
        assert view.title.endswith("and the activations") and view.kinds()["Activations"][0] == "not known"
        view.button("Wide MLP").click()
        expect(view.field("Hidden layers")).to_have_value("3")
        expect(view.field("Heads")).to_be_hidden()
        view.button("Reset").click()
        agrees(view)


def test_mixed_precision_can_take_more(open_calculator):
    state = {"model": "mlp", "layers": 3, "width": 4096, "inputs": 4096, "batch": 64}
    with open_calculator(state) as view:
        agrees(view, **state)
        widget = MemoryCalculator(**state)
        assert widget.total > sum(widget.bytes(recipe="32-true")[kind] for kind in KINDS)
        assert "here it takes more memory" in view.root.locator(".headline").inner_text()


def test_the_largest_batch_fits_and_one_more_does_not(open_calculator):
    with open_calculator({}) as view:
        most = int(view.card("T4").split("\t")[-1].replace(",", ""))
        assert MemoryCalculator(batch=most).needed <= 16 * GB < MemoryCalculator(batch=most + 1).needed
        view.field("Batch").fill(str(most + 1))
        assert "too small" in view.card("T4") and "fits" in view.card("H200")


def test_the_verdict_counts_the_temporary_tensors(open_calculator):
    """A batch whose sum is within a card's memory, but not with what the loss needs for a moment."""
    state = {"batch": 12, "device": "cpu", "recipe": "32-true"}
    widget = MemoryCalculator(**state)
    assert widget.total < 16 * GB < widget.needed
    with open_calculator(state) as view:
        agrees(view, **state)
        assert "too small" in view.card("T4")
        assert f"at least {gigabytes(widget.needed)} GB" in view.root.locator(".headline").inner_text()


def test_by_keyboard_alone(open_calculator):
    with open_calculator({}) as view:
        press, where = view.page.keyboard.press, lambda: view.page.evaluate(f"{FOCUSED}.id || {FOCUSED}.textContent")
        stops = ["GPT-2 124M", "GPT-2 1.5B", "Wide MLP", "7B parameters", "Reset", "GPT", "MLP", "Any, by parameters"]
        stops += ["32-true", "16-mixed", "bf16-mixed", "bf16-true", "batch", "layers", "width", "heads", "vocabulary"]
        stops += ["context", "optimizer", "Off", "On", "Fused", "Plain", "CUDA", "CPU"]
        for stop in stops:
            press("Tab")
            assert where() == stop
            if stop in ("16-mixed", "On"):
                press("Space")
            elif stop == "batch":
                press("Control+a")
                view.page.keyboard.type("8")
            elif stop == "optimizer":
                press("ArrowUp")
        agrees(view, recipe="16-mixed", checkpointing=True, batch=8, optimizer="adam")


def test_a_size_that_makes_no_sense_is_named_and_changes_nothing(open_calculator):
    with open_calculator({}) as view:
        for text in ("0", "x", HOSTILE, "1000001", "1.5", ""):
            view.field("Batch").fill(text)
            expect(view.field("Batch")).to_have_attribute("aria-invalid", "true")
            assert "batch must be a whole number" in view.root.locator("#batch-problem").inner_text()
            agrees(view)
        view.field("Width").fill("100")
        assert "width 100 is not a multiple of 12 heads" in view.root.locator("#width-problem").inner_text()
        agrees(view)
        view.field("Heads").click()
        expect(view.field("Width")).to_have_value("768")
        assert view.page.title() == "page" and view.root.locator("img").count() == 0


def test_state_in_the_address(open_calculator):
    hash = "#memory=mlp:32-true:sgd:cpu:fused:false:8:2:64:32:10"
    with open_calculator({"url_state": True}, hash=hash) as view:
        traits = {"model": "mlp", "optimizer": "sgd", "device": "cpu", "batch": 8, "layers": 2, "width": 64}
        expect(view.field("Hidden layers")).to_have_value("2")
        agrees(view, **traits, inputs=32, outputs=10, recipe="32-true")
        view.button("bf16-mixed").click()
        assert address(view.page) == "#memory=mlp:bf16-mixed:sgd:cpu:fused:false:8:2:64:32:10"
        view.page.evaluate("location.hash = '#memory=parameters:bf16-true:adamw:cuda:fused:false:1:1000000'")
        expect(view.field("Parameters")).to_have_value("1,000,000")
        for wrong in ("#memory=gpt:bf16-true:adamw:cuda:fused:false:1:12:100:12:50304:1024", "#memory=x", "#end"):
            view.page.evaluate(f"location.hash = '{wrong}'")
            view.page.wait_for_timeout(100)
            agrees(view, model="parameters", recipe="bf16-true", parameters=1_000_000)


def test_a_change_is_announced(open_calculator):
    with open_calculator({}) as view:
        said = view.root.locator("output")
        view.page.wait_for_timeout(900)
        expect(said).to_have_text("")
        view.button("bf16-true").click()
        total = gigabytes(MemoryCalculator(recipe="bf16-true").total)
        expect(said).to_contain_text(f"{total} GB in bf16-true, against")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_axe_width_and_targets(open_calculator, theme, size):
    context = PHONE if size == "phone" else {"viewport": {"width": 1100, "height": 900}}
    with open_calculator({"batch": 24}, {"model": "parameters"}, theme=theme, **context) as view:
        view.root.locator("summary").click()
        assert findings(view.page) == [] and overflow(view.page) <= 0
        for target in view.root.locator("button, input, select, summary").all():
            if target.is_visible():
                assert target.bounding_box()["height"] >= 44, target.evaluate("node => node.outerHTML")


def test_kinds_differ_by_hatching_and_the_bar_by_share(open_calculator):
    with open_calculator({"recipe": "16-mixed"}) as view:
        look = "node => getComputedStyle(node).backgroundImage"
        assert len({view.root.locator(f".bar .{kind}").evaluate(look) for kind in KINDS}) == len(KINDS)
        widget = MemoryCalculator(recipe="16-mixed")
        whole = view.root.locator(".bar").bounding_box()["width"]
        for kind in KINDS:
            share = view.root.locator(f".bar .{kind}").bounding_box()["width"] / whole
            assert share == pytest.approx(widget.bytes()[kind] / widget.total, abs=0.01)


def test_reduced_motion(open_calculator):
    with open_calculator({}, reduced_motion="reduce") as view:
        assert view.button("Reset").evaluate("node => getComputedStyle(node).transitionDuration") == "0s"
