"""The autocast map in headless Chromium, on a small page of our own with the real host."""

import pytest
from browser import overflow, visit
from playwright.sync_api import expect
from widget_page import FOCUSED, HOSTILE, PHONE, WidgetView, address, findings, luminance, write_page

from amp_helpers.plots import DTYPE_STYLE
from amp_helpers.policy import stored_policies
from amp_helpers.widgets import AutocastMap
from amp_helpers.widgets.autocast_map import DEVICES

pytestmark = pytest.mark.browser

POLICIES = AutocastMap().policies
VERSIONS = list(POLICIES)
PRINTED = """Net(
  (conv): Conv2d(3, 16, kernel_size=(3, 3))
  (norm): GroupNorm(4, 16, eps=1e-05)
  (own): MyLayer(heads=4)
  (heads): 2 x Linear(in_features=16, out_features=10)
)"""


class View(WidgetView):
    """What a reader can see and do."""

    @property
    def search(self):
        return self.root.get_by_role("combobox", name="Op, or a layer that calls it")

    @property
    def options(self):
        return self.root.locator("#ops").get_by_role("option")

    @property
    def paste(self):
        return self.root.get_by_role("textbox", name="Your layers")

    @property
    def text(self):
        return self.root.locator(".amp").inner_text()

    @property
    def headline(self):
        return self.root.locator(".headline").inner_text()

    @property
    def title(self):
        return self.root.locator(".headline .value").inner_text()

    def versions(self):
        """The cells of the comparison, by device."""
        rows = self.root.locator(".versions tbody tr").all()
        return {device: row.locator("td").all_inner_texts() for device, row in zip(DEVICES, rows, strict=True)}

    def layer(self, name):
        row = self.root.get_by_role("row").filter(has=self.page.get_by_role("rowheader", name=name, exact=True))
        return [" ".join(text.split()) for text in row.get_by_role("cell").all_inner_texts()]


#: For the fixture `open_page`.
KIND, VIEW = "autocast_map", View


@pytest.fixture
def open_map(open_page):
    """`open_page` with the stored policies in every state."""
    return lambda *states, **options: open_page(*({"policies": POLICIES, **state} for state in states), **options)


def agrees(view, op, dtype="bfloat16"):
    """Both devices and all versions show what Python reads in the stored policies."""
    widget = AutocastMap(op=op, dtype=dtype)
    expected = {device: [widget.shown(device, version) for version in VERSIONS] for device in DEVICES}
    assert view.versions() == expected, op


def test_it_comes_to_life_and_agrees_with_python(open_map):
    with open_map({}, {"op": "rms_norm", "dtype": "float16", "torch": "2.8", "device": "cpu"}) as view:
        assert view.page.get_by_text("the fallback").count() == 0
        assert view.title == "linear runs in bfloat16"
        assert "matrix units" in view.headline and f"On CUDA, torch {VERSIONS[-1]}" in view.headline
        assert 'torch.autocast("cuda", dtype=torch.bfloat16)' in view.headline
        agrees(view, "linear")
        second = View(view.page, 1)
        assert second.title == "rms_norm runs in the dtype of its input" and "On CPU, torch 2.8.0" in second.headline
        agrees(second, "rms_norm", "float16")


def test_every_op_of_the_newest_policies_agrees_with_python(open_map):
    """The list of a device names each of its ops once, under what Python says."""
    with open_map({}) as view:
        for device, name in (("cuda", "CUDA"), ("cpu", "CPU")):
            view.button(name).click()
            shown = {}
            for box in view.root.locator(".listing details:not([hidden])").all():
                kind = box.locator("summary .tag").inner_text()
                for op in box.locator("button").evaluate_all("nodes => nodes.map(node => node.dataset.op)"):
                    shown[op] = kind
            ops = stored_policies()[VERSIONS[-1]][device]
            assert shown == {op: AutocastMap(op=op).shown(device, VERSIONS[-1]) for op in ops}


def test_without_scripts_the_fallback_tells_the_same(site, browser):
    folder, home = site
    path = folder / write_page(folder, "noscript")
    twin = AutocastMap(op="rms_norm").twin()
    path.write_text(path.read_text(encoding="utf-8").replace("<h2", twin + "<h2"), encoding="utf-8")
    with visit(browser, home, java_script_enabled=False, viewport=PHONE["viewport"]) as page:
        page.goto(home + path.name)
        expect(page.locator("amp-widget table").first).to_be_visible()
        assert "rms_norm in bfloat16 autocast" in page.locator("amp-widget").inner_text()
        assert overflow(page) <= 0


def test_a_state_that_makes_no_sense_keeps_its_fallback(site, browser):
    folder, home = site
    states = ({"op": HOSTILE, "policies": POLICIES}, {"policies": {}}, {"policies": POLICIES})
    name = write_page(folder, "broken", *({"kind": KIND, **state} for state in states))
    with visit(browser, home) as page:
        page.goto(home + name)
        View(page)
        assert page.get_by_text("the fallback").count() == 2 and page.title() == "page"
        assert "is not an op's name" in page.messages[0] and "no policies" in page.messages[1]


# --- one op, by mouse and by keyboard -------------------------------------------------------------------------------


def test_by_mouse(open_map):
    with open_map({}) as view:
        view.search.click()
        expect(view.options.first).to_be_visible()
        view.options.filter(has_text="addcdiv").click()
        expect(view.root.get_by_role("listbox")).to_be_hidden()
        assert view.title == "addcdiv runs in the widest dtype of its inputs" and "From one of each" in view.headline
        view.button("float16").click()
        agrees(view, "addcdiv", "float16")
        view.button("CPU").click()
        assert view.title == "addcdiv runs in the dtype of its input"
        expect(view.button("CPU")).to_have_attribute("aria-pressed", "true")
        expect(view.button("CUDA")).to_have_attribute("aria-pressed", "false")
        view.root.get_by_role("combobox", name="torch", exact=True).select_option(VERSIONS[0])
        assert f"torch {VERSIONS[0]}" in view.headline
        view.root.locator("summary").filter(has_text="float32").click()
        view.button("cross_entropy_loss").click()
        assert view.title == "cross_entropy_loss runs in float32"
        view.button("CUDA").click()
        assert view.title == "cross_entropy_loss runs as its parts do"
        assert [" ".join(line.split()) for line in view.root.locator(".why .line").all_inner_texts()] == [
            "nll_loss float32",
        ]
        view.button("Reset").click()
        agrees(view, "linear")
        assert view.title == "linear runs in bfloat16"


def test_by_keyboard_alone(open_map):
    with open_map({}) as view:
        press, where = view.page.keyboard.press, lambda: view.page.evaluate(f"{FOCUSED}.id || {FOCUSED}.textContent")
        stops = ["CPU", "CUDA", "bfloat16", "float16", "torch", "Reset", "op", "layers"]
        stops += ["A small CNN", "A transformer block", "A printed model"]
        for stop in stops:
            press("Tab")
            assert where() == stop
            if stop in ("CPU", "float16", "A small CNN"):
                press("Space")
            elif stop == "op":
                view.page.keyboard.type("norm")
                press("ArrowDown")
                press("ArrowUp")
                press("ArrowUp")  # around to the last
                expect(view.options.last).to_have_attribute("aria-selected", "true")
                expect(view.options.last).to_be_in_viewport()
                press("Escape")
                expect(view.search).to_have_value("linear")
                press("Control+a")
                view.page.keyboard.type("LogSoftmax")
                active = view.search.get_attribute("aria-activedescendant")
                assert view.root.locator(f"#{active}").inner_text() == "log_softmax LogSoftmax"
                press("Enter")
                assert view.title == "log_softmax runs in the dtype of its input"
        for _ in range(2):
            press("Tab")
        assert "ops" in where()
        press("Enter")  # a summary opens
        press("Tab")
        press("Enter")
        assert view.title != "log_softmax runs in the dtype of its input"


def test_what_is_typed_is_searched_and_never_guessed(open_map):
    with open_map({}) as view:
        view.search.fill("nosuchop")
        assert view.options.count() == 0 and "No op and no layer of this name" in view.text
        view.page.keyboard.press("Enter")
        view.page.keyboard.press("Tab")
        expect(view.search).to_have_value("linear")
        view.search.fill("")
        assert view.options.count() > 150
        expect(view.search).to_have_attribute("aria-expanded", "true")


def test_an_unknown_op_is_called_unknown(open_map):
    with open_map({"op": "nosuchop"}) as view:
        assert view.title == "nosuchop: its dtype is not known here"


def test_a_banned_op_says_what_to_use(open_map):
    with open_map({"op": "binary_cross_entropy"}) as view:
        assert view.title == "binary_cross_entropy raises an error"
        assert "Use binary_cross_entropy_with_logits" in view.headline
        view.button("CPU").click()
        assert view.title == "binary_cross_entropy runs in float32"


# --- a list of layers -----------------------------------------------------------------------------------------------


def test_a_printed_model_is_explained(open_map):
    with open_map({}) as view:
        view.paste.fill(PRINTED)
        assert view.layer("Conv2d")[:2] == ["bfloat16 conv2d"] * 2
        cpu, cuda, why = view.layer("GroupNorm")
        assert (cpu, cuda) == ("as its input group_norm", "float32 group_norm") and "many terms" in why
        assert view.layer("Linear ×2")[1] == "bfloat16 linear"
        text = view.root.locator(".panel").inner_text()
        assert "Not known here, so nothing is said about: MyLayer." in text and "Made of other modules: Net." in text
        view.button("CPU").click()
        assert "Autocast does not touch it" in view.layer("GroupNorm")[2]
        view.paste.fill("CrossEntropyLoss, LSTM, BCELoss, MultiheadAttention")
        assert view.layer("CrossEntropyLoss")[:2] == [
            "float32 cross_entropy_loss",
            "float32 nll_loss",
        ]
        assert view.layer("LSTM")[:2] == ["bfloat16 mkldnn_rnn_layer", "bfloat16 _cudnn_rnn"]
        assert view.layer("BCELoss")[:2] == ["float32 binary_cross_entropy", "raises an error binary_cross_entropy"]
        assert "float32 softmax" in view.layer("MultiheadAttention")[1]


def test_the_examples_are_known_whole(open_map):
    with open_map({}) as view:
        for name in ("A small CNN", "A transformer block", "A printed model"):
            view.button(name).click()
            assert view.root.locator(".layers tbody tr").count() >= 5
            assert "Not known here" not in view.text
        view.button("Clear").click()
        expect(view.paste).to_have_value("")
        expect(view.root.locator(".layers")).to_be_hidden()
        expect(view.button("Clear")).to_be_disabled()


def test_hostile_text_is_text(open_map):
    with open_map({"layers": HOSTILE}) as view:
        view.paste.fill(HOSTILE * 2)
        view.page.wait_for_timeout(200)
        assert view.page.title() == "page" and view.root.locator("img").count() == 0
        assert "Not known here" in view.text


# --- the address, other widgets, the look ---------------------------------------------------------------------------


def test_state_in_the_address(open_map):
    hash = "#autocast=cpu:float16:2.11:softmax:Linear%2C%20Foo"
    with open_map({"url_state": True}, hash=hash) as view:
        expect(view.root.locator(".headline .value")).to_have_text("softmax runs in the dtype of its input")
        expect(view.paste).to_have_value("Linear, Foo")
        view.button("CUDA").click()
        assert address(view.page) == "#autocast=cuda:float16:2.11.0:softmax:Linear%2C%20Foo"
        view.page.evaluate("location.hash = '#autocast=cpu:bfloat16::mm'")
        expect(view.root.locator(".headline .value")).to_have_text("mm runs in bfloat16")
        for wrong in ("#autocast=tpu:bfloat16::mm", "#autocast=cpu:bfloat16:9.9:addmm", "#end"):
            view.page.evaluate(f"location.hash = '{wrong}'")
            view.page.wait_for_timeout(100)
            assert view.title == "mm runs in bfloat16"


def test_a_change_is_announced(open_map):
    with open_map({}) as view:
        said = view.root.locator("output")
        view.page.wait_for_timeout(900)
        expect(said).to_have_text("")
        view.button("CPU").click()
        expect(said).to_have_text(f"linear runs in bfloat16 on CPU, torch {VERSIONS[-1]}.")


def test_what_changed_is_told(open_map):
    with open_map({}) as view:
        view.root.get_by_text("What changed between torch versions on CUDA").click()
        text = view.root.locator(".changes").inner_text()
        assert "rms_norm: not listed → float32" in text and "torch 2.11 to 2.15" in text


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_axe_width_and_targets(open_map, theme, size):
    context = PHONE if size == "phone" else {"viewport": {"width": 1100, "height": 900}}
    with open_map({"layers": PRINTED}, theme=theme, **context) as view:
        for summary in view.root.locator("summary").all():
            if summary.is_visible():
                summary.click()
        assert findings(view.page) == [] and overflow(view.page) <= 0
        view.search.click()
        assert findings(view.page) == [] and overflow(view.page) <= 0
        for target in view.root.locator("button, input, select, summary, textarea, li[role=option]").all():
            if target.is_visible():
                assert target.bounding_box()["height"] >= 44, target.evaluate("node => node.outerHTML")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_dtype_has_the_books_hue_and_its_name(open_map, theme):
    with open_map({}, theme=theme) as view:
        for dtype in ("bfloat16", "float16"):
            view.button(dtype).click()
            tag = view.root.locator(f".versions .tag.{dtype}").first
            assert tag.inner_text() == dtype
            color = tag.evaluate("node => getComputedStyle(node).borderInlineStartColor")
            book = [int(DTYPE_STYLE[dtype]["color"][i : i + 2], 16) for i in (1, 3, 5)]
            shown = [int(part) for part in color[4:-1].split(",")]
            order = sorted(range(3), key=lambda i: book[i])
            assert sorted(range(3), key=lambda i: shown[i]) == order
            paper = "rgb(255, 255, 255)" if theme == "light" else "rgb(20, 24, 30)"
            lighter, darker = sorted([luminance(color), luminance(paper)], reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) >= 3


def test_reduced_motion(open_map):
    with open_map({}, reduced_motion="reduce") as view:
        assert view.button("CPU").evaluate("node => getComputedStyle(node).transitionDuration") == "0s"
