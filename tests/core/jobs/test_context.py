from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from distributed import get_worker

from resvae_core.errors import ConfigError, JobCancelledError
from resvae_core.jobs import context as contexts
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.lines import LINE_CHARACTERS
from resvae_core.jobs.mailbox import Mailbox


def mail(*documents: object) -> Mailbox:
    text = "".join(f"{json.dumps(document)}\n" for document in documents)
    box = Mailbox(io.BytesIO(text.encode()))
    box.close(5)
    return box


def test_progress_is_told_seldom_but_changes_and_ends_at_once(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(contexts.time, "monotonic", lambda: 1.0)
    context = JobContext.alone(tmp_path, {})
    context.report(step="Fold 1", done=0, total=100)
    for done in range(1, 101):
        context.report(done=done)
    told = [sent["progress"] for sent in context.sent]
    assert told == [
        {"step": "Fold 1", "done": 0, "total": 100},
        {"step": "Fold 1", "done": 100, "total": 100},
    ]
    context.report(step="Fold 2")
    assert context.sent[-1]["progress"] == {"step": "Fold 2", "done": 100, "total": 100}


def test_every_epoch_is_a_point_of_a_curve(tmp_path) -> None:
    context = JobContext.alone(tmp_path, {})
    for epoch in range(3):
        context.report(epoch=epoch, metrics={"loss": 1.0, "kl": epoch}, series="vae_ld/0/3")
    points = [point for sent in context.sent for point in sent.get("points", [])]
    assert points == [
        ["vae_ld/0/3", epoch, *item]
        for epoch in range(3)
        for item in (("loss", 1.0), ("kl", epoch))
    ]
    assert context.sent[-1]["progress"]["metrics"] == {"loss": 1.0, "kl": 2.0}


def test_a_job_that_is_to_stop_stops_at_its_next_report(tmp_path) -> None:
    context = JobContext.alone(tmp_path, {})
    context.check()
    context.stop()
    with pytest.raises(JobCancelledError, match="was cancelled"):
        context.report(done=1)
    with pytest.raises(JobCancelledError, match="was cancelled"):
        context.check()


def test_a_line_of_the_log_is_one_line(tmp_path) -> None:
    context = JobContext.alone(tmp_path, {})
    context.log("two\n lines " + "x" * 3000)
    assert context.sent[0]["log"].startswith("two lines xxx")
    assert len(context.sent[0]["log"]) == LINE_CHARACTERS


def test_what_a_database_refuses_is_taken_out_of_lines_steps_and_names(tmp_path) -> None:
    odd = "a\x00b\ud800c\x1b[31m\u202ed"
    context = JobContext.alone(tmp_path, {})
    context.log(odd)
    context.report(step=odd, epoch=1, metrics={odd: 1.0}, series=odd + "s" * 300)
    assert context.sent[0]["log"] == "a b c [31m d"
    news = mail(*context.sent, {"log": odd}).take()
    assert [text for _, text in news.log] == ["a b c [31m d"] * 2
    assert news.progress["step"] == "a b c [31m d"
    ((series, epoch, name),) = news.points
    assert (name, epoch, len(series)) == ("a b c [31m d", 1, 200)


def test_what_a_task_describes_is_kept_and_what_it_leaves_out_is_not_undone(tmp_path) -> None:
    context = JobContext.alone(tmp_path, {})
    context.describe(seed=3)
    context.describe(data_digests={"gdsc": "ab"})
    news = mail(*context.sent).take()
    assert news.progress == {"seed": 3, "data_digests": '{"gdsc": "ab"}'}


def test_pace_is_kept_over_steps_and_measured_anew_for_another_total() -> None:
    def told(step: str, done: int, total: int) -> dict[str, object]:
        return {"progress": {"step": step, "done": done, "total": total}}

    resumed = mail(told("Fold 4", 40, 100), told("Fold 5", 50, 100)).take().progress
    assert (resumed["pace_done"], resumed["done"]) == (40, 50)
    other = mail(told("Fold 4", 40, 100), told("Drift", 0, 2)).take().progress
    assert (other["pace_done"], other["total"]) == (0, 2)


def test_what_could_not_be_written_is_kept_in_order_and_what_is_newer_wins() -> None:
    box = mail({"log": "1"}, {"points": [["a", 1, "loss", 1.0]]}, {"describe": {"seed": 1}})
    first = box.take()
    assert not box.take()
    box._take_in({"log": "2"})
    box._take_in({"points": [["a", 1, "loss", 2.0]]})
    box._take_in({"describe": {"seed": 2}})
    box.put_back(first)
    news = box.take()
    assert [text for _, text in news.log] == ["1", "2"]
    assert news.points == {("a", 1, "loss"): 2.0}
    assert news.progress == {"seed": 2}


def test_a_line_that_was_cut_when_its_writer_died_is_left_out() -> None:
    box = Mailbox(io.BytesIO(b'{"log": "whole"}\n{"log": "cu'))
    box.close(5)
    assert [text for _, text in box.take().log] == ["whole"]
    assert box.outcome is None


def test_the_engine_is_that_of_the_settings(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RESVAE_ENGINE", "serial")
    with JobContext.alone(tmp_path, {}).engine() as engine:
        assert engine.name == "serial"
    monkeypatch.setenv("RESVAE_ENGINE", "steam")
    with pytest.raises(ConfigError, match="steam"), JobContext.alone(tmp_path, {}).engine():
        pass


def test_dask_s_workers_share_the_memory_and_the_folder_of_the_job(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RESVAE_ENGINE", "dask")
    context = JobContext("0" * 12, {}, tmp_path, memory_gb=5.0, send=lambda document: None)
    with context.engine(2) as engine:
        found = dict(engine.map(where_it_is, range(2)))
    # 1 GB is left to the task's own process
    assert [limit for limit, _ in found.values()] == [2 * 10**9] * 2
    assert {tmp_path in Path(folder).parents for _, folder in found.values()} == {True}
    small = JobContext("0" * 12, {}, tmp_path, memory_gb=1.5, send=lambda document: None)
    with small.engine(4) as engine:
        assert engine.n_workers == 1


def where_it_is(item: int) -> tuple[int, str]:
    """Return the memory limit and the folder of the worker that runs this."""
    worker = get_worker()
    return int(worker.memory_manager.memory_limit), str(worker.local_directory)
