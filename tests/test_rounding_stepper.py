"""The rounding stepper in headless Chromium, on a small page with the real host."""

import re
from urllib.parse import unquote

import pytest
from browser import overflow, visit
from playwright.sync_api import expect
from widget_page import HOSTILE, PHONE, address, findings, luminance, write_page

from amp_helpers.formats import FORMATS, MODES, decode, encode
from amp_helpers.javascript import module_source
from amp_helpers.typed_number import parse_number
from amp_helpers.widgets import RoundingStepper

pytestmark = pytest.mark.browser

DOUBLE = "0x1.0020000001p0"  # 1 + 2**-11 + 2**-40
FOCUSED = "document.querySelector('amp-widget').firstChild.firstChild.shadowRoot.activeElement"


class Stepper:
    """What a reader can see and do."""

    def __init__(self, page, index=0):
        self.page = page
        self.root = page.locator("amp-widget[data-live]").nth(index)
        self.root.wait_for(timeout=10_000)

    def __getattr__(self, name):  # .narration, .picture ... by class
        return self.root.locator(f".{name}")

    def field(self, name):
        return self.root.locator(f"#{name}")

    def button(self, name):
        return self.root.get_by_role("button", name=name, exact=True)

    @property
    def step(self):
        return int(re.match(r"Step (\d) of", self.narration.inner_text())[1])

    def go(self, step):
        while self.step != step:
            self.button("Next →" if self.step < step else "← Back").click()

    def bits(self):
        fields = [self.result.locator(f".{name} .bits") for name in ("sign", "exponent", "fraction")]
        return int("".join(re.sub(r"\s", "", field.inner_text()) for field in fields if field.count()), 2)

    def here(self):
        """The decision table: what each mode does."""
        rows = self.root.locator("tbody tr")
        return {row.locator("th").inner_text(): row.locator(".here").inner_text() for row in rows.all()}


#: For the fixture `open_page`.
KIND, VIEW = "rounding_stepper", Stepper


# --- stepping ------------------------------------------------------------------------------------------------------


def test_the_steps_by_mouse(open_page):
    with open_page({"value": "0.9999"}) as stepper:
        assert stepper.step == 1 and "digits never end" in stepper.narration.inner_text()
        expect(stepper.root.locator("table")).to_be_hidden()
        stepper.button("Next →").click()
        assert "10 fraction bits" in stepper.narration.inner_text()
        assert re.sub(r"\s", "", stepper.picture.locator(".fraction .bits").inner_text()) == "1111111111"
        assert "left over" in stepper.picture.inner_text()
        stepper.button("Next →").click()
        for caption in ("guard 1", "round 1", "sticky 1"):
            assert caption in stepper.picture.inner_text()
        stepper.button("Next →").click()
        assert stepper.here() == {
            "nearest_even": "↑ up",
            "nearest_away": "↑ up",
            "toward_zero": "↓ down",
            "toward_positive": "↑ up",
            "toward_negative": "↓ down",
            "stochastic": "↑ 79.52 %",
        }
        assert stepper.root.locator("tr[aria-current] th").inner_text() == "nearest_even"
        stepper.button("Next →").click()
        assert "the carry moves into the exponent" in stepper.narration.inner_text()
        assert stepper.value.inner_text() == "1" and stepper.bits() == 0x3C00
        assert stepper.button("Next →").get_attribute("aria-disabled") == "true"
        stepper.button("Next →").click(force=True)
        assert stepper.step == 5
        stepper.button("← Back").click()
        assert stepper.step == 4


def test_keyboard_alone(open_page):
    with open_page({"value": "0.1"}) as stepper:
        press = stepper.page.keyboard.press
        seen = []
        for _ in range(12):
            press("Tab")
            seen.append(stepper.page.evaluate(f"{FOCUSED}.id || {FOCUSED}.textContent"))
        examples = ["tie, down", "tie, up", "carry", "subnormal", "overflow", "double rounding"]
        assert seen == ["value", "format", "via", "mode", *examples, "← Back", "Next →"]
        for key, step in (
            ("ArrowRight", 2),
            ("Enter", 3),
            ("End", 5),
            ("ArrowRight", 5),
            ("Space", 5),
            ("ArrowLeft", 4),
            ("Home", 1),
            ("ArrowLeft", 1),
        ):
            press(key)
            assert stepper.step == step, key
            assert stepper.page.evaluate(f"{FOCUSED}.textContent") == "Next →", "focus stays"
        for _ in range(12):
            press("Shift+Tab")
        assert stepper.page.evaluate("document.activeElement === document.body"), "no trap"
        press("Tab")
        press("Control+a")
        stepper.page.keyboard.type("65520")
        press("ArrowLeft")
        assert stepper.step == 1, "arrows in the text move its cursor"
        stepper.go(5)
        assert stepper.value.inner_text() == "infinity"


def test_results_are_pythons(open_page):
    typed = ("-2.75", "3e5", "2^-20")  # float64 values, as Python reads the rest as float64
    with open_page({"step": 5}) as stepper:
        for index, (name, fmt) in enumerate(FORMATS.items()):
            stepper.field("format").select_option(name)
            text = typed[index % 3]
            stepper.field("value").fill(text)
            for mode in MODES[:-1]:
                stepper.field("mode").select_option(mode)
                code = encode(parse_number(text), fmt, mode)
                assert stepper.bits() == code, (name, text, mode)
                shown = float(stepper.value.inner_text().replace("infinity", "inf"))
                assert repr(shown) == repr(decode(code, fmt)), (name, text, mode)


def test_examples(open_page):
    said = {
        "tie, down": ("1", "stays"),
        "tie, up": ("1.001953125", "One ulp more"),
        "carry": ("1", "carry"),
        "subnormal": ("1.0132789611816406e-06", "subnormal"),
        "overflow": ("infinity", "overflow to infinity"),
    }
    with open_page({"value": "3", "format": "bfloat16", "via": "float32", "mode": "toward_zero", "step": 5}) as stepper:
        for name, (value, words) in said.items():
            stepper.button(name).click()
            assert stepper.value.inner_text() == value and words in stepper.narration.inner_text()
            assert [stepper.field(one).input_value() for one in ("format", "via", "mode")] == [
                "float16",
                "",
                "nearest_even",
            ]
        stepper.button("double rounding").click()
        assert stepper.step == 6
        words = stepper.narration.inner_text()
        assert "They differ" in words and "made a tie" in words
        once, twice = (path.inner_text() for path in stepper.path.all())
        assert "1.0009765625" in once and "0x3c01" in once and "float32" not in once
        assert "1.00048828125" in twice and twice.split()[-2:] == ["1", "0x3c00"]
        assert stepper.compare.locator(".badge").inner_text() == "≠ the results differ"
        stepper.field("via").select_option("bfloat16")
        stepper.field("value").fill("1.5")
        assert stepper.compare.locator(".badge").inner_text() == "= the same result"
        stepper.field("via").select_option("")
        assert stepper.step == 5


def test_the_coin(open_page):
    state = {"value": "0x1.001p0", "mode": "stochastic", "step": 4, "seed": 3}  # rest 0.25 ulp
    with open_page(state, {**state, "step": 1}) as stepper:

        def count():
            return tuple(map(int, re.match(r"(\d+) up, (\d+) down", stepper.counts.inner_text()).groups()))

        assert count() == (0, 0) and "Probability of up: 25 %" in stepper.counts.inner_text()
        assert "Toss the coin" in stepper.narration.inner_text()
        stepper.go(5)
        assert stepper.value.inner_text() == "1 or 1.0009765625"
        stepper.button("Toss").click()
        one_up = count() == (1, 0)
        assert stepper.value.inner_text() == ("1.0009765625" if one_up else "1")
        for _ in range(4):
            stepper.button("Toss 100").click()
        ups, downs = first = count()
        assert ups + downs == 401 and 60 < ups < 140
        assert f"{float(f'{100 * ups / 401:.4g}'):g} % up" in stepper.counts.inner_text()
        stepper.field("seed").fill("4")
        assert count() == (0, 0)
        stepper.field("seed").fill("3")
        for _ in range(4):
            stepper.button("Toss 100").click()
        stepper.button("Toss").click()
        assert count() == first, "the same seed, the same tosses"
        stepper.field("seed").fill("-1")
        assert "not -1" in stepper.root.locator("#seed-problem").inner_text()
        stepper.field("value").fill("1")
        assert "Nothing to toss for" in stepper.counts.inner_text()
        stepper.button("Toss").click(force=True)
        assert stepper.value.inner_text() == "1"
        expect(Stepper(stepper.page, 1).coin).to_be_hidden()


def test_numbers_that_are_not_rounded(open_page):
    with open_page({"value": "nan", "format": "float4_e2m1fn", "step": 5}) as stepper:
        assert "cannot hold" in stepper.narration.inner_text() and stepper.value.inner_text() == "no NaN to hold it"
        expect(stepper.picture).to_be_hidden()
        for typed, words in (("inf", "largest value, 6"), ("-0", "Zero needs no rounding")):
            stepper.field("value").fill(typed)
            assert words in stepper.narration.inner_text()
        stepper.field("format").select_option("float8_e8m0fnu")
        assert "neither a sign nor zero" in stepper.narration.inner_text()
        stepper.field("value").fill("2^-150")
        assert "the smallest value, 2^-127" in stepper.narration.inner_text()
        stepper.go(4)
        assert set(stepper.here().values()) == {"↑ smallest"}


@pytest.mark.parametrize(
    ("text", "message"),
    [("1e", '"1e" is not a number'), ("1/0", "Division by zero"), ("1e99999", "±5000"), (HOSTILE, "<img src=x")],
)
def test_what_cannot_be_read_is_said_as_text(open_page, text, message):
    with open_page({"value": "0.1"}) as stepper:
        before = stepper.narration.inner_text()
        elements = "document.querySelector('amp-widget').firstChild.firstChild.shadowRoot.querySelectorAll('*').length"
        count = stepper.page.evaluate(elements)
        stepper.field("value").fill(text)
        assert message in stepper.root.locator("#value-problem").inner_text()
        assert stepper.field("value").get_attribute("aria-invalid") == "true"
        assert stepper.field("value").get_attribute("aria-describedby") == "value-problem"
        assert stepper.narration.inner_text() == before and stepper.page.evaluate(elements) == count
        assert stepper.page.locator("img, script:not([src])").count() == 0 and stepper.page.title() == "page"
        stepper.button("carry").click()
        assert stepper.field("value").get_attribute("aria-invalid") == "false"
        assert stepper.field("value").input_value() == "0.9999"


# --- the address, the kernel, and no script ------------------------------------------------------------------------


def test_state_in_the_address_round_trips(open_page):
    state = {"value": "0.1", "url_state": True}
    with open_page(state, state) as stepper:
        assert address(stepper.page) == "", "a page just opened has a plain address"
        stepper.button("double rounding").click()
        assert address(stepper.page) == f"#round=float16,float32,nearest_even,6,0:{DOUBLE}"
        stepper.field("value").fill("1/3")
        stepper.field("mode").select_option("toward_zero")
        stepper.go(5)
        link = address(stepper.page)
        assert link == "#round=float16,float32,toward_zero,5,0:1%2F3"
        stepper.page.reload()
        again = Stepper(stepper.page)
        assert again.field("value").input_value() == "1/3" and again.value.inner_text() == "0.333251953125"
        assert Stepper(stepper.page, 1).step == 1, "one widget owns the address"
        for nonsense in ("#round=<img>:1", "#round=float16,,up,1,0:1", "#end"):
            stepper.page.evaluate("hash => { location.hash = hash }", nonsense)
            assert again.value.inner_text() == "0.333251953125"
            assert unquote(address(stepper.page)) == nonsense


def test_without_url_state_the_address_stays(open_page):
    with open_page({"value": "0.1"}, hash=f"#round=float16,float32,nearest_even,6,0:{DOUBLE}") as stepper:
        assert stepper.step == 1
        stepper.button("carry").click()
        assert address(stepper.page).endswith(DOUBLE)


def test_both_sides_of_the_model_follow_each_other(open_page):
    """anywidget's model, played by the page: what a reader does is saved, what Python sets is shown."""
    with open_page({"value": "0.1"}) as stepper:
        page = stepper.page
        page.evaluate(
            """async source => {
              const listeners = {};
              const values = { value: "0.1", format: "float16", via: "", mode: "nearest_even", step: 5, seed: 0 };
              window.saves = 0;
              window.model = {
                values, get: key => values[key], save_changes: () => { window.saves += 1; },
                on: (names, f) => names.split(" ").forEach(name => { listeners[name] = f; }),
                off: (names) => names.split(" ").forEach(name => { delete listeners[name]; }),
                set(key, value) { if (values[key] !== value) { values[key] = value; listeners["change:" + key]?.(); } },
                listeners,
              };
              const el = Object.assign(document.createElement("div"), { id: "kernel" });
              document.querySelector("main").append(el);
              const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
              window.leave = (await import(url)).default.render({ model: window.model, el });
            }""",
            module_source("rounding_stepper"),
        )
        live = page.locator("#kernel")
        live.get_by_role("button", name="double rounding").click()
        traits = page.evaluate("model.values")
        assert traits == {
            "value": DOUBLE,
            "format": "float16",
            "via": "float32",
            "mode": "nearest_even",
            "step": 6,
            "seed": 0,
        }
        widget = RoundingStepper(**traits)  # Python accepts what the page sends
        assert page.evaluate("saves") == 1
        page.evaluate("model.set('mode', 'toward_positive')")
        expect(live.locator("#mode")).to_have_value("toward_positive")
        page.evaluate("model.set('mode', 'between')")
        page.evaluate("model.set('value', '1e-6'), model.set('mode', 'toward_zero'), model.set('step', 5)")
        expect(live.locator(".result .value")).to_have_text("9.5367431640625e-07")
        assert page.evaluate("saves") == 1, "what Python sent is not sent back"
        page.evaluate("leave()")
        assert page.evaluate(
            "[Object.keys(model.listeners).length, document.querySelector('#kernel').children.length]"
        ) == [0, 0]
        assert widget.step == 6


def test_the_fallback_shows_without_scripts(site, browser):
    folder, home = site
    name = write_page(folder, "noscript", {"kind": "rounding_stepper"})
    path = folder / name
    twin = RoundingStepper(value=DOUBLE, via="float32").twin()
    path.write_text(re.sub("<amp-widget.*?</amp-widget>", lambda _: twin, path.read_text(encoding="utf-8")))
    with visit(browser, home, java_script_enabled=False, **PHONE) as page:
        page.goto(home + name)
        table = page.locator("amp-widget table")
        expect(table).to_be_visible()
        for words in ("guard, round, sticky", "1, 0, 1", "the results differ", "1.0009765625"):
            assert words in table.inner_text()
        assert overflow(page) <= 0
    with visit(browser, home) as page:  # and the same page comes to life
        page.goto(home + name)
        assert Stepper(page).step == 1
        expect(page.locator("amp-widget table caption", has_text="rounded to float16")).to_have_count(0)


# --- for every reader ----------------------------------------------------------------------------------------------

STATES = [
    *({"value": "0.9999", "step": step} for step in (1, 2, 3)),
    {"value": "-1e-6", "step": 4, "mode": "stochastic"},
    {"value": "65520", "step": 5},
    {"value": DOUBLE, "via": "float32", "step": 6},
    {"value": "0.1", "format": "float64", "step": 5},
]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(open_page, theme):
    with open_page(*STATES[2:6], theme=theme) as stepper:
        stepper.field("value").fill("nonsense")
        assert findings(stepper.page) == []
        stepper.narration.evaluate("node => node.append(document.createElement('button'))")
        assert findings(stepper.page), "axe must notice a button without a name"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_bits_have_contrast_and_differ_without_colour(open_page, theme):
    with open_page({"value": "0.9999", "step": 5}, theme=theme) as stepper:
        paper = luminance(stepper.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert (paper < 0.1) == (theme == "dark")
        edges = {}
        for kind in ("sign", "exponent", "fraction"):
            box = stepper.result.locator(f".{kind} .nibble").first
            edge, style, ink = (
                box.evaluate(f"node => getComputedStyle(node).{key}")
                for key in ("borderTopColor", "borderTopStyle", "color")
            )
            for colour, least in ((edge, 3), (ink, 4.5)):
                lighter, darker = sorted((luminance(colour), paper), reverse=True)
                assert (lighter + 0.05) / (darker + 0.05) >= least
            edges[kind] = style
        assert edges == {"sign": "double", "exponent": "solid", "fraction": "dashed"}
        colour = "node => getComputedStyle(node).borderTopColor"
        stepper.page.evaluate("document.documentElement.style.setProperty('--amp-exponent', 'rgb(1, 2, 3)')")
        own = stepper.result.locator(".exponent .nibble")
        assert own.evaluate(colour) == "rgb(1, 2, 3)", "the book's variables give the colours"


def test_the_theme_may_change_while_the_page_is_open(open_page):
    with open_page({"value": "0.1"}) as stepper:
        light = stepper.narration.evaluate("node => getComputedStyle(node).color")
        stepper.page.evaluate("document.documentElement.dataset.theme = 'dark'")
        stepper.root.locator(".amp.dark").wait_for()
        assert luminance(stepper.narration.evaluate("node => getComputedStyle(node).color")) > luminance(light)


def test_a_phone_shows_everything(open_page):
    boxes = "nodes => nodes.map(node => [node.outerHTML, node.getBoundingClientRect().toJSON()])"
    with open_page(*STATES, **PHONE) as stepper:
        assert overflow(stepper.page) <= 0
        inside = stepper.page.locator("amp-widget[data-live]")
        controls = inside.locator("button:visible, select:visible, input:visible").evaluate_all(boxes)
        parts = inside.locator(".field:visible, .hop:visible, td:visible, .narration").evaluate_all(boxes)
        assert len(controls) > 12 * len(STATES) and len(parts) > 5 * len(STATES)
        for markup, box in controls:
            assert box["width"] >= 44 and box["height"] >= 44, markup
        for markup, box in controls + parts:
            assert box["left"] >= 0 and box["right"] <= 390, markup
        stepper.button("Next →").tap()
        assert stepper.step == 2


def test_motion_is_reduced_on_request(open_page):
    duration = "node => getComputedStyle(node).transitionDuration"
    for preference, still in (("reduce", True), ("no-preference", False)):
        with open_page({"mode": "stochastic", "step": 4}, reduced_motion=preference) as stepper:
            for moving in (stepper.button("Toss"), stepper.share):
                assert (moving.evaluate(duration) == "0s") is still


def test_a_screen_reader_hears_the_step(open_page):
    with open_page({"value": "65520", "step": 4}) as stepper:
        live = stepper.root.locator("output[aria-live=polite]")
        stepper.button("Next →").click()
        words = live.inner_text()
        assert "Step 5 of 5: result." in words and "overflow to infinity" in words
        assert stepper.root.locator("[aria-current=step]").inner_text() == "5 Result"
