"""The claims table in headless Chromium, on a small page of our own with the real host."""

import pytest
from browser import overflow, visit
from playwright.sync_api import expect
from test_widgets_claims_table import outcomes
from widget_page import HOSTILE, PHONE, WidgetView, address, findings

from amp_helpers.widgets import ClaimsTable

pytestmark = pytest.mark.browser


class View(WidgetView):
    """What a reader can see and do."""

    @property
    def search(self):
        return self.root.get_by_role("searchbox", name="Search")

    def filter(self, name):
        return self.root.get_by_role("combobox", name=name, exact=True)

    @property
    def count(self):
        return self.root.locator(".count").inner_text()

    def shown(self):
        return [row.get_attribute("id") for row in self.page.locator("tr[data-topic]").all() if row.is_visible()]


#: For the fixture `open_page`.
KIND, VIEW = "claims_table", View
ALL = ["claim-7", "claim-40", "claim-m2", "claim-9", "claim-37"]


@pytest.fixture
def open_table(site, browser, request):
    """A page with the real table as the fallback; `open_page` has none."""
    from contextlib import contextmanager

    from widget_page import write_page

    folder, home = site

    @contextmanager
    def opened(theme="light", hash="", traits=None, live=True, **context):
        path = folder / write_page(folder, "claims-table", theme=theme)
        twin = ClaimsTable.of(outcomes(), **(traits or {})).twin()
        path.write_text(path.read_text(encoding="utf-8").replace("<h2", twin + "<h2"), encoding="utf-8")
        with visit(browser, home, **context) as page:
            page.goto(home + path.name + hash)
            yield View(page) if live else page
            assert page.foreign == [] and page.messages == []

    return opened


def test_it_comes_to_life_around_the_page_s_own_rows(open_table):
    with open_table() as view:
        assert view.count == "5 claims" and view.shown() == ALL
        assert view.page.locator("table").count() == 1 and view.page.locator("#claim-m2").count() == 1
        expect(view.button("Show all")).to_be_disabled()


def test_words_in_any_order_filter_and_none_is_said(open_table):
    with open_table() as view:
        view.search.fill("NOT that")
        assert view.shown() == ["claim-m2"] and view.count == "1 of 5 claims"
        assert view.page.get_by_text("History and systems", exact=True).first.is_hidden()
        view.search.fill(HOSTILE[:100])
        assert view.shown() == [] and view.count == "None of 5 claims" and view.page.title() == "page"
        view.button("Show all").click()
        assert view.shown() == ALL and view.search.input_value() == ""
        assert view.search.evaluate("node => node === node.getRootNode().activeElement")


def test_filters_join_and_a_claim_of_two_halves_is_found_by_each(open_table):
    with open_table() as view:
        view.filter("Verdict").select_option("true")
        assert view.shown() == ["claim-7", "claim-m2"]
        view.filter("Verdict").select_option("false")
        assert view.shown() == ["claim-m2", "claim-37"]
        view.filter("Topic").select_option("speed")
        assert view.shown() == ["claim-m2"]
        view.filter("Verdict").select_option("")
        view.filter("How one knows").select_option("record")
        assert view.shown() == ["claim-40"]


def test_by_keyboard_alone(open_table):
    with open_table() as view:
        view.search.focus()
        view.page.keyboard.type("/so")  # the theme takes "/" for its own search where a widget lets it through
        assert view.search.input_value() == "/so"
        view.page.keyboard.press("Control+A")
        view.page.keyboard.type("so")
        view.page.keyboard.press("Tab")
        view.page.keyboard.press("End")
        assert view.filter("Topic").input_value() == "history" and view.shown() == ["claim-37"]
        for _ in range(3):
            view.page.keyboard.press("Tab")
        view.page.keyboard.press("Enter")  # Show all
        assert view.shown() == ALL


def test_a_link_to_a_claim_shows_it_even_if_a_filter_hides_it(open_table):
    with open_table(hash="#claim-37") as view:
        assert view.page.locator("#claim-37").evaluate("node => node.matches(':target')")
        view.search.fill("not that")
        assert view.shown() == ["claim-m2"]
        view.page.evaluate("location.hash = '#claim-7'")
        expect(view.page.locator("#claim-7")).to_be_visible()
        assert view.shown() == ALL


def test_the_address_keeps_the_filters(open_table):
    with open_table(traits={"url_state": True}) as view:
        view.search.fill("so")
        view.filter("Topic").select_option("speed")
        assert address(view.page) == "#claims=so:speed::"
    with open_table(traits={"url_state": True}, hash="#claims=so:history::") as view:
        assert view.shown() == ["claim-37"] and view.filter("Topic").input_value() == "history"
    for wrong in ("#claims=a:b", "#claims=%E0%A4%A:::", "#claims=x:<img>::"):
        with open_table(traits={"url_state": True}, hash=wrong) as view:
            assert view.shown() == ALL


def test_traits_filter_from_the_start(open_table):
    with open_table(traits={"verdict": "no record yet"}) as view:
        assert view.shown() == ["claim-40"]


def test_without_scripts_it_is_a_plain_table(open_table):
    with open_table(java_script_enabled=False, viewport=PHONE["viewport"], live=False) as page:
        for claim in ALL:
            expect(page.locator(f"#{claim}")).to_be_visible()
        assert overflow(page) <= 0


def test_a_phone_shows_each_claim_whole(open_table):
    with open_table(**PHONE) as view:
        assert overflow(view.page) <= 0
        for box in [view.search, *(view.filter(name) for name in ("Topic", "Verdict", "How one knows"))]:
            assert box.bounding_box()["height"] >= 44
        texts = view.page.locator("#claim-7 td").all()
        assert all(cell.bounding_box()["width"] > 280 for cell in texts)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(open_table, theme):
    with open_table(theme=theme) as view:
        assert findings(view.page) == []
