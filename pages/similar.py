"""Similar: the sample among cell lines and cohorts, its nearest lines and patients."""

from pages.components import findings, frame, messages, neighbourhood, predictions, verdicts

with frame.open_page("similar") as session:
    messages.need_sample(session)
    findings.need_evidence()
    forecast = predictions.forecast(session)
    assessable = verdicts.show_range(session, forecast)
    notes = verdicts.provenance_notes(session, forecast)
    neighbourhood.choose_space(session)
    nearest = predictions.nearest_lines(session, with_response=assessable)
    neighbourhood.show_map(session, nearest)
    neighbourhood.show_lines(session, nearest, notes)
    neighbourhood.show_patients(session, notes)
