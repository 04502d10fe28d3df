from __future__ import annotations

from playwright.sync_api import expect


def test_tour_leads_on_waits_on_other_pages_and_can_be_left(visitor) -> None:
    visitor.open("/")
    panel = visitor.page.locator(".st-key-tour")
    visitor.page.get_by_role("button", name="Take the tour").click()
    visitor.at("Upload & QC")
    expect(panel).to_contain_text("Step 1 of")
    panel.get_by_role("button", name="Next").click()
    visitor.at("Overview")
    expect(panel).to_contain_text("Step 2 of")
    visitor.follow("Models")
    expect(panel).to_contain_text("The tour waits at step 2")
    panel.get_by_role("button", name="Back to step 2").click()
    visitor.at("Overview")
    expect(panel).to_contain_text("Step 2 of")
    assert "DEMO" not in visitor.page.url
    panel.get_by_role("button", name="Leave the tour").click()
    expect(panel).to_have_count(0)
    visitor.at("Overview")
    assert "Synthetic patient" in visitor.words()
