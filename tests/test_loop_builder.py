"""The loop builder in headless Chromium, on a small page of our own with the real host."""

import pytest
from browser import overflow, visit
from playwright.sync_api import expect
from widget_page import HOSTILE, PHONE, SHADOW, WidgetView, address, findings, luminance, write_page

from amp_helpers.widgets import LoopBuilder

pytestmark = pytest.mark.browser

FULL = {"accumulate": 4, "optimizers": 2, "scheduler": True}


class View(WidgetView):
    """What a reader can see and do."""

    @property
    def code(self):
        return self.root.locator(".code").evaluate("node => node.textContent")

    @property
    def list(self):
        return self.root.get_by_role("listbox", name="Code, block by block")

    def block(self, name):
        return self.root.locator(f"[data-id={name}]")

    @property
    def title(self):
        return self.root.locator(".panel .title").inner_text()

    @property
    def why(self):
        return self.root.locator(".why").inner_text()


#: For the fixture `open_page`.
KIND, VIEW = "loop_builder", View


def test_it_comes_to_life_and_agrees_with_python(open_page):
    with open_page({}, {**FULL, "explain": "unscale"}) as view:
        assert view.page.get_by_text("the fallback").count() == 0
        first, second = LoopBuilder(), LoopBuilder(**FULL)
        assert view.code == first.code and view.title == "Forward pass and loss"
        other = View(view.page, 1)
        assert other.code == second.code and other.title == "Unscale before clipping"
        assert other.why == next(block.why for block in second.blocks if block.id == "unscale")


def test_without_scripts_the_default_loop_stands_there(site, browser):
    folder, home = site
    path = folder / write_page(folder, "noscript")
    path.write_text(path.read_text(encoding="utf-8").replace("<h2", LoopBuilder().twin() + "<h2"), encoding="utf-8")
    with visit(browser, home, java_script_enabled=False, viewport=PHONE["viewport"]) as page:
        page.goto(home + path.name)
        expect(page.locator("amp-widget pre")).to_be_visible()
        assert page.locator("amp-widget pre").evaluate("node => node.textContent") == LoopBuilder().code
        assert "Unscale before clipping." in page.locator("amp-widget ol").inner_text()


def test_a_state_that_makes_no_sense_keeps_its_fallback(site, browser):
    folder, home = site
    states = ({"precision": HOSTILE}, {"accumulate": 3}, {})
    name = write_page(folder, "broken", *({"kind": KIND, **state} for state in states))
    with visit(browser, home) as page:
        page.goto(home + name)
        View(page)
        assert page.get_by_text("the fallback").count() == 2 and page.title() == "page"
        assert "unknown precision" in page.messages[0] and "unknown accumulate" in page.messages[1]


def test_by_mouse(open_page):
    with open_page({}) as view:
        state = {"precision": "bf16-mixed", "clip": False, "accumulate": 8, "optimizers": 2, "scheduler": True}
        for name in ("BF16 autocast", "No clipping", "8 micro-batches", "2 optimizers, 2 losses", "Scheduler"):
            view.button(name).click()
            expect(view.button(name)).to_have_attribute("aria-pressed", "true")
        assert view.code == LoopBuilder(**state).code
        expect(view.button("FP16 autocast + GradScaler")).to_have_attribute("aria-pressed", "false")
        assert (
            "No GradScaler is offered: bfloat16 has float32’s exponent range"
            in view.root.locator(".controls").inner_text()
        )
        view.block("boundary").click()
        assert view.title == "The accumulation boundary"
        expect(view.block("boundary")).to_have_attribute("aria-selected", "true")
        expect(view.root.locator("[aria-selected=true]")).to_have_count(1)
        view.button("Next block").click()
        assert view.title == "The optimizer step"
        view.button("Previous block").click()
        assert view.title == "The accumulation boundary"
        view.button("None").click()  # its block is gone
        assert view.title == "Imports"
        view.button("8 micro-batches").click()
        assert view.title == "The accumulation boundary"
        view.button("Reset").click()
        assert view.code == LoopBuilder().code


def test_by_keyboard_alone(open_page):
    with open_page({}) as view:
        press = view.page.keyboard.press
        where = f"{SHADOW}.activeElement.id || {SHADOW}.activeElement.textContent"
        stops = ["FP32", "TF32", "BF16 autocast", "FP16 autocast + GradScaler", "No clipping", "Clip the norm", "None"]
        stops += ["2 micro-batches", "4 micro-batches", "8 micro-batches", "1 optimizer", "2 optimizers, 2 losses"]
        for stop in [*stops, "Constant", "Scheduler", "Reset", "Copy the code", "code"]:
            press("Tab")
            assert view.page.evaluate(where) == stop
            if stop in ("TF32", "4 micro-batches"):
                press("Space")
        blocks = LoopBuilder(precision="tf32", accumulate=4).blocks
        assert view.code == LoopBuilder(precision="tf32", accumulate=4).code
        press("Home")
        for block in blocks:
            assert view.title == block.title and view.why == block.why
            active = view.root.locator(f"#{view.list.get_attribute('aria-activedescendant')}")
            expect(active).to_have_attribute("aria-selected", "true")
            expect(active).to_be_in_viewport()
            box, panel = active.bounding_box(), view.root.locator(".panel").bounding_box()
            assert box["y"] + box["height"] <= panel["y"] + 1, "the panel hides the block that it explains"
            press("ArrowDown")
        assert view.title == blocks[-1].title
        expect(view.button("Next block")).to_be_disabled()
        press("ArrowUp")
        assert view.title == blocks[-2].title
        press("Home")
        expect(view.button("Previous block")).to_be_disabled()
        press("End")
        assert view.title == blocks[-1].title
        press("Tab")
        press("Enter")  # the button before: the next one is disabled
        assert view.title == blocks[-2].title


def test_marks_stand_at_what_the_plain_loop_lacks(open_page):
    with open_page({"precision": "bf16-mixed", "clip": False}) as view:
        assert view.root.locator(".new").all_inner_texts() == [
            "    with torch.autocast(device.type, dtype=torch.bfloat16):\n"
        ]
        view.button("FP32").click()
        expect(view.root.locator(".new")).to_have_count(0)


@pytest.mark.parametrize("state", [{}, FULL])
def test_copying(open_page, state):
    context = {"permissions": ["clipboard-read", "clipboard-write"]}
    with open_page(state, **context) as view:
        view.button("Copy the code").click()
        expect(view.root.get_by_text("Copied.")).to_be_visible()
        assert view.page.evaluate("navigator.clipboard.readText()") == LoopBuilder(**state).code


@pytest.mark.parametrize("works", [True, False])
def test_copying_without_a_clipboard(open_page, works):
    with open_page(FULL, permissions=["clipboard-read", "clipboard-write"]) as view:
        view.page.evaluate(
            "window.kept = navigator.clipboard; Object.defineProperty(navigator, 'clipboard', {value: undefined})"
        )
        if not works:
            view.page.evaluate("document.execCommand = () => false")
        view.button("Copy the code").click()
        told = "Copied." if works else "Selected: press Ctrl+C or ⌘C to copy."
        expect(view.root.get_by_text(told)).to_be_visible()
        if not works:
            view.page.keyboard.press("Control+c")  # what the reader is told to do
        text = view.page.evaluate("window.kept.readText()")
        assert text.rstrip("\n") == LoopBuilder(**FULL).code.rstrip("\n")


def test_state_in_the_address(open_page):
    with open_page({"url_state": True}, hash="#loop=tf32::4:1:scheduler:boundary") as view:
        expect(view.root.locator(".panel .title")).to_have_text("The accumulation boundary")
        assert view.code == LoopBuilder(precision="tf32", clip=False, accumulate=4, scheduler=True).code
        view.button("Clip the norm").click()
        assert address(view.page) == "#loop=tf32:clip:4:1:scheduler:boundary"
        view.page.evaluate("location.hash = '#loop=16-mixed:clip:1:2::update'")
        expect(view.root.locator(".panel .title")).to_have_text("Update the scale")
        code = view.code
        assert code == LoopBuilder(optimizers=2).code
        for wrong in ("#loop=fp16:clip:1:2::update", "#loop=16-mixed:clip:3:2::update", "#loop=", "#end"):
            view.page.evaluate(f"location.hash = '{wrong}'")
            view.page.wait_for_timeout(100)
            assert view.code == code


def test_a_change_is_announced(open_page):
    with open_page({}) as view:
        said = view.root.locator("output")
        view.page.wait_for_timeout(900)
        expect(said).to_have_text("")
        view.button("TF32").click()
        expect(said).to_contain_text("TF32, clipping, no accumulation, 1 optimizer, no scheduler: ")
        expect(view.root.locator(".panel [aria-live=polite]")).to_contain_text("Every tensor is float32 here")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_axe_width_and_targets(open_page, theme, size):
    context = PHONE if size == "phone" else {"viewport": {"width": 1100, "height": 900}}
    with open_page(FULL, theme=theme, **context) as view:
        for name in ("TF32", "FP16 autocast + GradScaler"):
            view.button(name).click()
            assert findings(view.page) == [] and overflow(view.page) <= 0
        for target in view.root.locator("button, [role=option]").all():
            box = target.bounding_box()
            assert box["height"] >= 44 and box["width"] >= 44, target.evaluate("node => node.outerHTML")
        colors = view.block("step").evaluate(
            "node => [getComputedStyle(node).color, getComputedStyle(node.parentNode).backgroundColor]"
        )
        lighter, darker = sorted(map(luminance, colors), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_the_reason_covers_no_control(open_page):
    """It stays in view beside the code only: at no place of the page does it lie over a button."""
    with open_page(FULL, **PHONE) as view:
        height = view.page.evaluate("document.documentElement.scrollHeight")
        for top in range(0, height, 150):
            view.page.evaluate(f"window.scrollTo(0, {top})")
            panel = view.root.locator(".panel").bounding_box()
            copy = view.button("Copy the code").bounding_box()
            assert panel["y"] >= copy["y"] + copy["height"]


def test_reduced_motion(open_page):
    with open_page({}, reduced_motion="reduce") as view:
        assert view.button("FP32").evaluate("node => getComputedStyle(node).transitionDuration") == "0s"
