"""What a reader sees of a model's card."""

from __future__ import annotations

from pages.components import model_cards, resources


def test_metrics_of_cards_have_the_words_of_the_other_pages() -> None:
    names = {name for card in resources.cards() for name in card.metrics()["metric"]}
    assert {"brier", "ece", "mcc"} <= names
    words = {name: model_cards.metric_word(name) for name in names}
    assert words["brier"] == "Brier score (lower is better)"
    assert words["ece"] == "Calibration error (lower is better)"
    unknown = {name for name, word in words.items() if word == name.replace("_", " ")}
    assert unknown == set()


def test_card_says_nothing_where_there_is_no_number(open_page) -> None:
    app = open_page("models")
    app.session_state["models_sections"] = "Cards"
    app.run()
    [metrics] = [one for one in app.dataframe if "floor" in one.value]
    assert metrics.value["floor"].isna().any()
    assert metrics.proto.placeholder == "–"
