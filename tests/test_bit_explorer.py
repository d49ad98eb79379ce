"""The bit explorer in headless Chromium: on a small page of our own with the real host, and on the built chapter."""

import math
import random
import re

import pytest
from browser import overflow, serve, visit
from playwright.sync_api import expect
from widget_page import HOSTILE, PHONE, address, findings, luminance, write_page

from amp_helpers.formats import FORMATS, FloatFormat, classify, decode, encode

pytestmark = pytest.mark.browser

CUSTOM = {"format": "custom", "exponent_bits": 3, "significand_bits": 2, "bias": 3, "specials": "none"}


class Explorer:
    """What a reader can see and do."""

    def __init__(self, page, index=0):
        self.page = page
        self.root = page.locator("amp-widget[data-live]").nth(index)
        self.root.wait_for(timeout=10_000)

    def __getattr__(self, name):  # .bits, .value ... by class or tag
        return self.root.locator(SELECTORS[name])

    def bit(self, position):
        return self.root.locator(f'.bit[data-position="{position}"]')

    @property
    def code(self):
        return int(self.root.locator("#hex").input_value(), 16)

    def row(self, name):
        return self.root.locator("tbody tr", has=self.page.get_by_role("button", name=name, exact=True))

    def type(self, field, text):
        self.root.locator(f"#{field}").fill(text)


#: For the fixture `open_page`.
KIND, VIEW = "bit_explorer", Explorer


SELECTORS = {
    "bits": ".bit",
    "value": ".headline .value",
    "badge": ".badge",
    "rule": ".rule",
    "format": "#format",
    "below": ".below",
    "above": ".above",
    "gap": ".gap",
    "facts": "dl",
    "copy": ".snippet button",
    "rows": "tbody tr:visible",
}


def number(text):
    return float(text.replace("infinity", "inf"))


def same(a, b):
    return repr(a) == repr(b)


# --- coming to life ----------------------------------------------------------------------------------------------


def test_every_widget_mounts_without_scrolling(open_page):
    with open_page(*[{"format": name} for name in ("float16", "float64", "bfloat16")]) as first:
        page = first.page
        expect(page.locator("amp-widget[data-live]")).to_have_count(3)
        assert page.evaluate("scrollY") == 0
        assert page.get_by_text("the fallback").count() == 0
        assert Explorer(page, 2).code == 0x3F80


def test_without_scripts_the_fallback_shows(open_page, site, browser):
    folder, home = site
    name = write_page(folder, "noscript", {"format": "float16"})
    with visit(browser, home, java_script_enabled=False) as page:
        page.goto(home + name)
        expect(page.get_by_text("the fallback")).to_be_visible()


def test_what_the_host_cannot_show_keeps_its_fallback(site, browser):
    folder, home = site
    name = write_page(
        folder, "broken", {"kind": "unheard_of"}, {"kind": "constructor"}, {"format": "half"}, {"format": "float16"}
    )
    with visit(browser, home) as page:
        page.goto(home + name)
        Explorer(page)
        expect(page.locator("amp-widget[data-live]")).to_have_count(1)
        assert page.get_by_text("the fallback").count() == 3
        assert len(page.messages) == 1 and "unknown format 'half'; choose from float64" in page.messages[0]


def test_markdown_may_leave_the_state_out(site, browser):
    folder, home = site
    path = folder / write_page(folder, "bare")
    path.write_text(path.read_text().replace("<h2", '<amp-widget kind="bit_explorer">the fallback</amp-widget><h2'))
    with visit(browser, home) as page:
        page.goto(home + path.name)
        assert Explorer(page).code == 0x3C00


# --- by mouse and by keyboard --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_clicking_bits_gives_pythons_value(open_page, name):
    fmt, rng = FORMATS[name], random.Random(name)
    codes = [fmt.max_code, rng.randrange(1 << fmt.bits), *([0, 1, (1 << fmt.bits) - 1] if fmt.bits < 32 else [])]
    with open_page({"format": name}) as explorer:
        expect(explorer.bits).to_have_count(fmt.bits)
        for code in codes:
            for position in range(fmt.bits):
                if (explorer.code ^ code) >> position & 1:
                    explorer.bit(position).click()
            assert explorer.code == code
            assert same(number(explorer.value.inner_text()), decode(code, fmt))
            assert explorer.badge.inner_text().lower() == classify(code, fmt)
            on = [bit.get_attribute("aria-checked") == "true" for bit in explorer.bits.all()]
            assert int("".join(map(str, map(int, on))), 2) == code


def test_keyboard_alone(open_page):
    with open_page({"format": "float16", "code": "0x3c00"}) as explorer:
        page, press = explorer.page, explorer.page.keyboard.press
        focused = "document.querySelector('amp-widget').firstChild.firstChild.shadowRoot.activeElement"
        for _ in range(3):  # format, reset, then one stop for all the bits
            press("Tab")
        where = lambda: page.evaluate(f"{focused}.getAttribute('aria-label')")  # noqa: E731
        assert where() == "bit 15, sign"
        press("ArrowRight")
        assert where() == "bit 14, exponent"
        press("Space")
        assert explorer.value.inner_text() == "infinity" and explorer.badge.inner_text() == "infinity"
        press("Enter")
        assert explorer.code == 0x3C00
        press("End")
        assert where() == "bit 0, fraction"
        press("ArrowRight")
        assert where() == "bit 0, fraction"
        press("+")
        press("PageUp")
        assert explorer.code == 0x3C02
        press("-")
        press("PageDown")
        press("PageDown")
        assert explorer.code == 0x3BFF and where() == "bit 0, fraction"
        press("Home")
        press("ArrowLeft")
        assert where() == "bit 15, sign"
        press("Tab")
        assert page.evaluate(f"{focused}.className") == "below"
        press("Enter")
        assert explorer.code == 0x3BFE
        for _ in range(2):
            press("Tab")
        page.keyboard.type("1/3")
        assert page.evaluate(f"{focused}.id") == "decimal"
        press("Control+a")
        page.keyboard.type("1/3")
        assert explorer.code == 0x3555


def test_arrows_up_and_down_move_between_lines(open_page):
    with open_page({"format": "float64"}, **PHONE) as explorer:
        explorer.bit(40).focus()
        start = explorer.bit(40).bounding_box()
        explorer.page.keyboard.press("ArrowDown")
        below = explorer.root.locator(".bit:focus").bounding_box()
        assert below["y"] > start["y"] and abs(below["x"] - start["x"]) < 30
        explorer.page.keyboard.press("ArrowUp")
        assert explorer.root.locator(".bit:focus").get_attribute("data-position") == "40"


def test_neighbours(open_page):
    with open_page({"format": "float16", "code": "0x7bff"}) as explorer:
        assert "65472" in explorer.below.inner_text() and "infinity" in explorer.above.inner_text()
        assert "2^5 = 32" in explorer.gap.inner_text()
        explorer.above.click()
        assert explorer.code == 0x7C00
        expect(explorer.above).to_be_disabled()
        explorer.type("decimal", "0")
        explorer.below.click()
        assert explorer.code == 0x8001
        explorer.type("decimal", "nan")
        expect(explorer.below).to_be_disabled()
        assert "none" in explorer.gap.inner_text()


# --- typing ----------------------------------------------------------------------------------------------------


def test_typed_numbers_are_rounded_and_remembered(open_page):
    with open_page({"format": "float16"}) as explorer:
        explorer.type("decimal", "0.1")
        assert explorer.code == encode(0.1, "float16") == 0x2E66
        assert "You typed 0.1; these bits hold 0.4 ulp below it." in explorer.facts.inner_text()
        explorer.format.select_option("float8_e4m3fn")
        assert explorer.code == encode(0.1, "float8_e4m3fn")
        assert explorer.root.locator("#decimal").input_value() == "0.1"
        explorer.format.select_option("float16")
        explorer.bit(0).click()
        assert "You typed" not in explorer.facts.inner_text(), "the bits no longer hold what was typed"
        assert explorer.root.locator("#decimal").input_value() == "0.10003662109375"
        explorer.type("decimal", "1e-400")
        assert explorer.badge.inner_text() == "zero"
        explorer.type("decimal", "1/3")
        assert explorer.code == 0x3555
        explorer.type("decimal", "2^-24")
        assert "exactly" in explorer.facts.inner_text() and explorer.badge.inner_text() == "subnormal"
        assert "1 − 15 = −14" in explorer.rule.inner_text()


def test_hexadecimal_and_binary_codes(open_page):
    with open_page({"format": "bfloat16"}) as explorer:
        explorer.type("hex", "7F80")
        assert explorer.badge.inner_text() == "infinity"
        explorer.type("binary", "0 01111111 1000000")
        assert explorer.value.inner_text() == "1.5"
        assert explorer.root.locator("#hex").input_value() == "0x3fc0"
        explorer.format.select_option("float8_e8m0fnu")
        assert explorer.root.locator("#binary").input_value() == "0b 01111111" or explorer.code == encode(
            1.5, "float8_e8m0fnu"
        )


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("decimal", "1e", '"1e" is not a number'),
        ("decimal", "1/0", "Division by zero"),
        ("decimal", "1e999999999", "too large: ±5000 at most"),
        ("decimal", "9" * 5000, "Too long: 1000 characters"),
        ("decimal", "0x3c00", "type it into the hex or binary field"),
        ("hex", "0x10000", "needs 17 bits; float16 has 16"),
        ("hex", "xyz", "not a hexadecimal code"),
        ("binary", "012", "not a binary code"),
    ],
)
def test_what_cannot_be_read_is_said_and_changes_nothing(open_page, field, text, message):
    with open_page({"format": "float16", "code": "0x3c00"}) as explorer:
        explorer.type(field, text)
        entry = explorer.root.locator(f"#{field}")
        assert message in explorer.root.locator(f"#{field}-problem").inner_text()
        assert entry.get_attribute("aria-invalid") == "true"
        assert entry.get_attribute("aria-describedby") == f"{field}-problem"
        assert explorer.value.inner_text() == "1"
        explorer.bit(0).click()
        assert entry.get_attribute("aria-invalid") == "false"


def test_hostile_text_shows_as_text(open_page):
    with open_page({"format": "float16"}, CUSTOM) as explorer:
        each = "[...document.querySelectorAll('amp-widget')].map"
        elements = f"{each}(one => one.firstChild.firstChild.shadowRoot.querySelectorAll('*').length)"
        before = explorer.page.evaluate(elements)
        for field in ("decimal", "hex", "binary"):
            explorer.type(field, HOSTILE)
            assert "<img src=x" in explorer.root.locator(f"#{field}-problem").inner_text()
        custom = Explorer(explorer.page, 1)
        for field in ("exponent_bits", "significand_bits", "bias"):
            custom.root.locator(f"#{field}").press_sequentially("<b>")
        assert explorer.page.evaluate(elements) == before
        assert explorer.page.locator("img, script:not([src])").count() == 0
        assert explorer.page.title() == "page"


# --- what is said ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["0.1", "1e6", "-3", "1e-9", "nan", "inf", "0"])
def test_every_format_row_agrees_with_python(open_page, typed):
    with open_page({"format": "float64", "typed": typed}) as explorer:
        expect(explorer.rows).to_have_count(len(FORMATS))
        for name, fmt in FORMATS.items():
            cells = explorer.row(name).locator("td").all_inner_texts()
            try:
                code = encode(float(typed), fmt)
            except ValueError:
                assert cells[:3] == ["–", "–", "–"] and "no NaN" in cells[3]
                expect(explorer.row(name).get_by_role("button")).to_be_disabled()
                continue
            assert int(cells[1], 16) == code
            assert same(number(cells[0]), decode(code, fmt))
            verdict = cells[3]
            if math.isinf(decode(code, fmt)) and math.isfinite(float(typed)):
                assert "overflow to infinity" in verdict
            elif decode(code, fmt) == 0 and float(typed):
                assert "underflow" in verdict
            elif decode(code, fmt) == float(typed) and name != "float64":
                assert "exact" in verdict


def test_a_row_leads_to_its_format(open_page):
    with open_page({"format": "float16", "typed": "0.1"}) as explorer:
        explorer.row("float8_e5m2").get_by_role("button").click()
        assert explorer.format.input_value() == "float8_e5m2"
        assert explorer.code == encode(0.1, "float8_e5m2")
        assert explorer.root.locator("[aria-current]").inner_text() == "float8_e5m2"
        expect(explorer.row("float8_e5m2").get_by_role("button")).to_be_focused()


def test_all_digits_of_a_long_number(open_page):
    with open_page({"format": "float64", "code": "0x0000000000000001"}) as explorer:
        more = explorer.facts.get_by_role("button")
        assert more.inner_text() == "All 751 digits" and more.get_attribute("aria-expanded") == "false"
        more.click()
        shown = explorer.facts.inner_text()
        digits = str(2**1074 and 5**1074)  # 2**-1074 is 5**1074 / 10**1074
        assert f"{digits[0]}.{digits[1:]}e-324" in shown and more.get_attribute("aria-expanded") == "true"


def test_custom_formats(open_page):
    with open_page({"format": "float16", "typed": "0.3"}) as explorer:
        panel = explorer.root.locator("fieldset")
        expect(panel).to_be_hidden()
        explorer.format.select_option("custom")
        expect(panel).to_be_visible()
        assert explorer.code == encode(0.3, FloatFormat("custom", 4, 3, 7))
        explorer.type("exponent_bits", "6")
        assert explorer.root.locator("#bias").input_value() == "31", "a usual bias follows the width"
        explorer.root.locator("#specials").select_option("none")
        explorer.type("significand_bits", "5")
        assert explorer.code == encode(0.3, FloatFormat("custom", 6, 5, 31, "none"))
        expect(explorer.bits).to_have_count(12)
        expect(explorer.rows).to_have_count(len(FORMATS) + 1)
        explorer.type("exponent_bits", "60")
        assert "exponent_bits must be an integer from 1 to 11, not 60" in panel.inner_text()
        expect(explorer.bits).to_have_count(12)
        explorer.type("exponent_bits", "8")
        explorer.root.locator("#signed").uncheck()
        assert explorer.code == encode(0.3, FloatFormat("custom", 8, 5, 127, "none", False))
        expect(explorer.root.locator(".field.sign")).to_have_count(0)


def test_reset_goes_back_to_the_authors_state(open_page):
    with open_page({"format": "bfloat16", "typed": "0.1"}) as explorer:
        explorer.format.select_option("float64")
        explorer.type("decimal", "5")
        explorer.root.get_by_role("button", name="Reset").click()
        assert explorer.format.input_value() == "bfloat16" and explorer.code == encode(0.1, "bfloat16")
        assert explorer.root.locator("#decimal").input_value() == "0.1"


@pytest.mark.parametrize("name", [*FORMATS, "custom"])
def test_copied_code_makes_the_value_in_python(open_page, name):
    import torch

    fmt = FloatFormat("custom", 3, 2, 3, "none") if name == "custom" else FORMATS[name]
    context = {"permissions": ["clipboard-read", "clipboard-write"]}
    state = CUSTOM if name == "custom" else {"format": name}
    with open_page(state, **context) as explorer:
        for code in {1, fmt.max_code, fmt.max_code | fmt.sign_bit, 0, (1 << fmt.bits) - 1}:
            explorer.type("hex", hex(code))
            explorer.copy.click()
            expect(explorer.root.locator(".snippet [role=status]")).to_have_text("Copied.")
            copied = explorer.page.evaluate("navigator.clipboard.readText()")
            space = {}
            exec(copied, space)
            assert same(space["x"].to(torch.float64).item(), decode(code, fmt)), copied
            if fmt.torch_dtype:
                assert space["x"].dtype == fmt.torch_dtype


def test_copying_without_a_clipboard(open_page):
    with open_page({"format": "float16"}) as explorer:
        explorer.page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
        explorer.copy.click()
        expect(explorer.root.locator(".snippet [role=status]")).to_have_text("Copied.")


# --- the address ---------------------------------------------------------------------------------------------------


def test_state_in_the_address_round_trips(open_page):
    state = {"format": "float16", "code": "0x3c00", "url_state": True}
    with open_page(state, {**state, "format": "bfloat16", "code": "0x3f80"}) as explorer:
        assert address(explorer.page) == "", "a page just opened has a plain address"
        explorer.bit(14).click()
        assert address(explorer.page) == "#bits=float16:0x7c00"
        second = Explorer(explorer.page, 1)
        second.bit(0).click()
        assert address(explorer.page) == "#bits=float16:0x7c00", "one widget owns the address"
        explorer.type("decimal", "1/3")
        link = address(explorer.page)
        explorer.page.reload()
        again = Explorer(explorer.page)
        assert again.code == 0x3555 and again.root.locator("#decimal").input_value() == "1/3"
        assert address(explorer.page) == link == "#bits=float16:0x3555:1%2F3"
        again.root.get_by_role("button", name="Reset").click()
        assert again.code == 0x3C00
        explorer.page.evaluate("location.hash = '#bits=float8_e5m2:0x7b'")
        expect(again.value).to_have_text("57344")
        assert Explorer(explorer.page, 1).code == 0x3F80


def test_other_anchors_are_left_alone(open_page):
    tall = '<p style="height: 3000px">tall</p>'
    with open_page({"format": "float16", "url_state": True}, before=tall, hash="#end") as explorer:
        assert address(explorer.page) == "#end"
        expect(explorer.page.locator("#end")).to_be_in_viewport()
        assert explorer.code == 0x3C00
        explorer.page.evaluate("location.hash = '#bits=<img>:0x1'")
        explorer.page.evaluate("location.hash = '#top'")
        assert address(explorer.page) == "#top" and explorer.code == 0x3C00


def test_a_shared_address_shows_the_widget(open_page):
    tall = '<p style="height: 3000px">tall</p>'
    link = "#bits=custom,3,2,3,none,1:0x1f"
    with open_page({"format": "float16", "url_state": True}, before=tall, hash=link) as explorer:
        assert explorer.value.inner_text() == "28"
        expect(explorer.value).to_be_in_viewport()


def test_without_url_state_the_address_stays(open_page):
    with open_page({"format": "float16"}, hash="#bits=float16:0x7c00") as explorer:
        assert explorer.code == 0x3C00
        explorer.bit(0).click()
        assert address(explorer.page) == "#bits=float16:0x7c00"


# --- for every reader ----------------------------------------------------------------------------------------------

STATES = [
    {"format": "float16", "typed": "0.1"},
    {"format": "float64", "code": "0x0000000000000001"},
    {"format": "float8_e4m3fn", "code": "0x7f"},
    {"format": "float8_e8m0fnu", "code": "0x7d"},
    CUSTOM,
]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(open_page, theme):
    with open_page(*STATES, theme=theme) as explorer:
        explorer.type("decimal", "nonsense")
        assert findings(explorer.page) == []
        explorer.root.locator(".hint").evaluate("node => node.append(document.createElement('button'))")
        assert findings(explorer.page), "axe must notice a button without a name"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_bits_have_contrast_and_differ_without_colour(open_page, theme):
    with open_page({"format": "float16", "code": "0xaaaa"}, theme=theme) as explorer:
        paper = luminance(explorer.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert (paper < 0.1) == (theme == "dark")
        edges = set()
        for bit in explorer.bits.all():
            ink = bit.evaluate("node => getComputedStyle(node.firstChild).color")
            fill, edge, kind = bit.evaluate(
                "node => ['backgroundColor', 'borderTopColor', 'borderTopStyle']"
                ".map(key => getComputedStyle(node, '::before')[key])"
            )
            ground = luminance(fill) if bit.get_attribute("aria-checked") == "true" else paper
            for first, second, least in ((luminance(ink), ground, 4.5), (luminance(edge), paper, 3)):
                assert (max(first, second) + 0.05) / (min(first, second) + 0.05) >= least
            edges.add(kind)
        assert edges == {"double", "solid", "dashed"}


def test_the_theme_may_change_while_the_page_is_open(open_page):
    with open_page({"format": "float16"}) as explorer:
        ink = "node => getComputedStyle(node).color"
        light = explorer.value.evaluate(ink)
        explorer.page.evaluate("document.documentElement.dataset.theme = 'dark'")
        explorer.root.locator(".amp.dark").wait_for()
        assert luminance(explorer.value.evaluate(ink)) > luminance(light)


@pytest.mark.parametrize("name", [*FORMATS, "custom"])
def test_a_phone_shows_everything(open_page, name):
    state = CUSTOM if name == "custom" else {"format": name, "code": hex(FORMATS[name].max_code)}
    with open_page(state, **PHONE) as explorer:
        assert overflow(explorer.page) <= 0
        for control in explorer.root.locator(
            "button:visible, select:visible, input[type=text], input[type=number]:visible"
        ).all():
            box = control.bounding_box()
            assert box["width"] >= 44 and box["height"] >= 44 and box["x"] >= 0 and box["x"] + box["width"] <= 390
        explorer.bit(0).tap()
        assert explorer.code == FORMATS[name].max_code ^ 1 if name != "custom" else True


def test_motion_is_reduced_on_request(open_page):
    duration = "node => getComputedStyle(node).transitionDuration"
    for preference, still in (("reduce", True), ("no-preference", False)):
        with open_page({"format": "float16"}, reduced_motion=preference) as explorer:
            assert (explorer.copy.evaluate(duration) == "0s") is still


def test_a_screen_reader_hears_the_value(open_page):
    with open_page({"format": "float16"}) as explorer:
        live = explorer.root.locator("output[aria-live=polite]")
        explorer.bit(14).click()
        assert live.inner_text().split() == ["infinity", "infinity", "float16", "0x7c00"]
        roles = explorer.page.get_by_role("switch", name="bit 14, exponent", exact=True)
        expect(roles).to_be_checked()


# --- the built chapter -----------------------------------------------------------------------------------------------


@pytest.fixture(params=["http", "file"])
def chapter(request, book_html):
    """(home, address) of the chapter, over http and as a file."""
    page = "notebooks/01_float_bits.html"
    if request.param == "file":
        yield book_html.as_uri() + "/", (book_html / page).as_uri()
    else:
        with serve(book_html) as home:
            yield home, home + page


def troubles(page):
    """Console messages, without the two that the theme always logs."""
    return [message for message in page.messages if not re.match(r"log: \[(PST|togglebutton)\]", message)]


@pytest.mark.parametrize(
    "context",
    [{}, {"color_scheme": "dark"}, PHONE, {**PHONE, "color_scheme": "dark"}],
    ids=["light", "dark", "phone", "phone-dark"],
)
def test_the_chapters_widget_is_live(chapter, browser, context):
    home, url = chapter
    with visit(browser, home, **context) as page:
        page.goto(url)
        explorer = Explorer(page)
        expect(page.locator("amp-widget:not([data-live])")).to_have_count(0)
        before = explorer.code
        explorer.bit(0).click()
        assert explorer.code == before ^ 1
        explorer.bit(0).press("Space")
        assert explorer.code == before
        assert overflow(page) <= 0
        assert findings(page) == []
        paper, ink = (
            explorer.root.locator(".amp").evaluate(f"node => getComputedStyle(node).{key}")
            for key in ("backgroundColor", "color")
        )
        assert (luminance(paper) < luminance(ink)) == (context.get("color_scheme") == "dark")
        assert page.foreign == [] and troubles(page) == []


def test_the_chapters_widget_keeps_its_state_in_the_address(chapter, browser):
    home, url = chapter
    with visit(browser, home) as page:
        page.goto(url + "#bits=bfloat16:0x4049")
        explorer = Explorer(page)
        assert explorer.value.inner_text() == "3.140625"
        explorer.bit(0).click()
        assert address(page) == "#bits=bfloat16:0x4048"
        assert page.foreign == [] and troubles(page) == []


def test_the_chapter_without_scripts(chapter, browser):
    home, url = chapter
    with visit(browser, home, java_script_enabled=False) as page:
        page.goto(url)
        widget = page.locator("amp-widget").first
        expect(widget).to_be_visible()
        assert "exponent" in widget.inner_text() and "code 0x" in widget.inner_text()
