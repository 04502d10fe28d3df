from __future__ import annotations

import math
import os
import time
from pathlib import Path

import pytest
from sqlalchemy import update

from resvae_core.access import audit
from resvae_core.access.roles import COMMAND_LINE, Actor
from resvae_core.database import exclusive
from resvae_core.errors import AccessError, CatalogError, ConfigError, JobError
from resvae_core.jobs import service, store
from resvae_core.jobs.processes import host
from resvae_core.jobs.record import Limits
from resvae_core.jobs.schema import JOBS
from resvae_core.jobs.tasks import MODULES, TASKS
from resvae_core.settings import Settings, write_settings

pytestmark = pytest.mark.usefixtures("database", "no_workers")

VIEWER = Actor("vera", "viewer", "sign-in")
ANALYST = Actor("anna", "analyst", "sign-in")
WORK = {"parts": 2, "seconds": 0.0}


def trail() -> list[tuple[str, str, str]]:
    return [
        (line.action, line.actor, line.subject) for line in audit.find_lines(actor=COMMAND_LINE)
    ]


def test_what_is_submitted_is_queued_with_all_that_was_asked() -> None:
    job = service.submit("parts", WORK, actor=ANALYST, limits=Limits(1, 2, 3))
    assert (job.state, job.position, job.attempt) == ("queued", 1, 0)
    assert (job.title, job.arguments, job.submitted_by) == ("Write 2 parts", WORK, "anna")
    assert job.limits == Limits(1, 2, 3)
    assert service.get_job(job.id) == job
    assert service.list_jobs(task="parts") == [job]
    assert service.list_jobs(states=["running"]) == []
    assert service.find_job("parts", {"seconds": 0.0, "parts": 2}) == job
    assert trail() == [("job.submitted", "anna", f"job:parts/{job.id}")]
    assert service.submit("parts", WORK, actor=COMMAND_LINE).id == job.id


def test_limits_and_device_come_from_the_settings() -> None:
    write_settings(Settings(time_limit_hours=2.0, memory_limit_gb=3.0, device="cpu"))
    job = service.submit("train_parts", WORK, actor=COMMAND_LINE)
    assert (job.limits.hours, job.limits.memory_gb) == (2.0, 3.0)
    assert job.device == "cpu"
    named = service.submit("train_parts", WORK | {"device": "cuda"}, actor=COMMAND_LINE)
    assert named.device == "cuda:0"


def test_a_viewer_can_neither_start_nor_touch_a_job() -> None:
    job = service.submit("parts", WORK, actor=ANALYST)
    acts = [
        lambda: service.submit("parts", WORK, actor=VIEWER),
        lambda: service.cancel(job.id, actor=VIEWER),
        lambda: service.resume(job.id, actor=VIEWER),
        lambda: service.forget(job.id, actor=VIEWER),
    ]
    for act in acts:
        with pytest.raises(AccessError, match="'viewer' may not score") as caught:
            act()
        assert "analyst or steward" in caught.value.remedy
    assert service.list_jobs() == [job]


def test_an_analyst_cannot_train() -> None:
    with pytest.raises(AccessError, match="'analyst' may not train models"):
        service.submit("train_parts", WORK, actor=ANALYST)
    job = service.submit("train_parts", WORK, actor=COMMAND_LINE)
    with pytest.raises(AccessError, match="may not train"):
        service.cancel(job.id, actor=ANALYST)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"parts": math.nan}, "ValueError"), ({"parts": object()}, "TypeError")],
)
def test_arguments_that_are_no_json_are_refused(arguments, words) -> None:
    with pytest.raises(ConfigError, match=rf"are no JSON \({words}\)"):
        service.submit("parts", arguments, actor=COMMAND_LINE)


def test_an_unknown_task_lists_those_there_are() -> None:
    with pytest.raises(CatalogError, match="no task 'dance'") as caught:
        service.submit("dance", {}, actor=COMMAND_LINE)
    assert "attribute_cohort" in caught.value.remedy
    assert set(MODULES) < set(TASKS)
    assert len(TASKS) == len(list(TASKS))


def test_a_further_task_that_is_none_is_refused(monkeypatch) -> None:
    monkeypatch.setenv("RESVAE_TASKS", "resvae_core.jobs.service:submit")
    with pytest.raises(ConfigError, match="is no task"):
        service.submit("submit", {}, actor=COMMAND_LINE)


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="not above 0"):
        service.submit("parts", WORK, actor=COMMAND_LINE, limits=Limits(1, 0, 1))


def test_a_cancelled_job_can_be_resumed_and_then_removed() -> None:
    job = service.submit("parts", WORK, actor=ANALYST)
    with pytest.raises(JobError, match="only a finished one can be removed"):
        service.forget(job.id, actor=ANALYST)
    with pytest.raises(JobError, match="The job is queued; only"):
        service.resume(job.id, actor=ANALYST)
    assert service.cancel(job.id, actor=ANALYST).state == "cancelled"
    assert service.resume(job.id, actor=ANALYST).state == "queued"
    service.cancel(job.id, actor=ANALYST)
    service.job_folder(job.id).mkdir(parents=True)
    service.forget(job.id, actor=ANALYST)
    assert not service.job_folder(job.id).exists()
    assert service.list_jobs() == []
    actions = [action for action, _, subject in trail() if subject.endswith(job.id)]
    assert actions[-1] == "job.submitted"
    assert actions[0] == "job.forgotten"
    assert audit.verify(actor=COMMAND_LINE).whole


def test_a_resumed_job_may_use_what_the_settings_say_now() -> None:
    job = service.submit("parts", WORK, actor=ANALYST)
    held = store.claim("scoring", store.Worker(host(), 1, "1"))
    store.finish(held, "failed", line="Failed.", error=("It ran too long.", "Raise the limit."))
    write_settings(Settings(time_limit_hours=48.0, memory_limit_gb=3.0))
    resumed = service.resume(job.id, actor=ANALYST)
    assert resumed.limits == service.default_limits() == Limits(48.0, 3.0, job.limits.disk_gb)
    assert service.get_job(job.id).limits.hours == 48.0
    assert store.claim("scoring", store.Worker(host(), 1, "1")).record.limits == resumed.limits
    lines = [line.text for line in service.job_log(job.id)]
    words = "now 48 h, 3 GB of memory, 20 GB of disk; they were 24 h, 8 GB of memory, 20 GB of disk"
    assert [line for line in lines if "limits" in line] == [f"Its limits are {words}."]


def test_limits_that_did_not_change_are_not_told() -> None:
    job = service.submit("parts", WORK, actor=ANALYST)
    service.cancel(job.id, actor=ANALYST)
    assert service.resume(job.id, actor=ANALYST).limits == job.limits
    assert [line.text for line in service.job_log(job.id)][-1] == "Queued again."


def end_days_ago(days: float, part: int, state: str = "done") -> str:
    name = service.submit("parts", WORK | {"part": part}, actor=ANALYST).id
    held = store.claim("scoring", store.Worker(host(), 1, "1"))
    store.finish(held, state, line="It ended.")
    service.job_folder(name).mkdir(parents=True)
    ended = time.time() - days * service.DAY_SECONDS
    with exclusive(store.database(), name) as connection:
        connection.execute(update(JOBS).where(JOBS.c.id == name).values(finished_at=ended))
    return name


def test_jobs_that_ended_long_ago_are_removed_with_their_files() -> None:
    old = [end_days_ago(31, 1), end_days_ago(40, 2, "failed"), end_days_ago(50, 3, "interrupted")]
    young = end_days_ago(29, 4)
    waiting = service.submit("parts", WORK, actor=ANALYST).id
    with pytest.raises(AccessError, match="may not score"):
        service.forget_old(30, actor=VIEWER)
    assert sorted(service.forget_old(30, actor=ANALYST)) == sorted(old)
    assert [job.id for job in service.list_jobs()] == [waiting, young]
    left = [service.job_folder(name).exists() for name in (*old, young)]
    assert left == [False, False, False, True]
    forgotten = [subject for action, _, subject in trail() if action == "job.forgotten"]
    assert sorted(subject.split(":")[1] for subject in forgotten) == sorted(old)
    assert service.forget_old(30, actor=ANALYST) == []


def test_an_old_job_that_cannot_be_removed_does_not_keep_the_others(monkeypatch) -> None:
    kept, gone = end_days_ago(40, 1), end_days_ago(40, 2)
    remove = service._remove_files

    def refuse(job_id: str) -> bool:
        if job_id == kept:
            raise JobError("Its files are held.", remedy="Let them go.")
        return remove(job_id)

    monkeypatch.setattr(service, "_remove_files", refuse)
    with pytest.raises(JobError, match=f"1 jobs were removed, but not {kept}: Its files") as caught:
        service.forget_old(30, actor=ANALYST)
    assert caught.value.remedy == "Let them go."
    assert [job.id for job in service.list_jobs()] == [kept]
    assert gone != kept


def test_a_job_whose_files_cannot_be_removed_stays_until_they_can(monkeypatch) -> None:
    job = service.submit("parts", WORK, actor=ANALYST)
    service.cancel(job.id, actor=ANALYST)
    folder = service.job_folder(job.id)
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "one.txt").write_text("1")

    unlink = os.unlink

    def refuse(path: str, **options: int) -> None:
        if Path(path).name == "one.txt":
            raise PermissionError(13, "Permission denied", path)
        unlink(path, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", refuse)  # root may remove everything
        with pytest.raises(JobError, match=r"could not be removed \(PermissionError\)") as caught:
            service.forget(job.id, actor=ANALYST)
    assert f"jobs/{job.id}" in caught.value.remedy
    assert service.get_job(job.id).state == "cancelled"
    # what stayed is out of the way of whoever resumes it
    assert not folder.exists()
    assert [path.name for path in folder.parent.rglob("one.txt")] == ["one.txt"]
    service.forget(job.id, actor=ANALYST)
    assert service.list_jobs() == []
    assert list(folder.parent.glob(f"{job.id}*")) == []


def test_a_job_that_does_not_rest_keeps_its_files() -> None:
    job = service.submit("parts", WORK, actor=ANALYST)
    service.job_folder(job.id).mkdir(parents=True)
    with pytest.raises(JobError, match="only a finished one"):
        service.forget(job.id, actor=ANALYST)
    assert service.job_folder(job.id).is_dir()


def test_a_folder_is_of_a_job_and_nothing_else() -> None:
    with pytest.raises(JobError, match="is no job's id"):
        service.job_folder("../models")


def test_a_curve_is_a_table() -> None:
    job = service.submit("parts", WORK, actor=COMMAND_LINE)
    held = store.claim("scoring", store.Worker("h", 1, "1"))
    points = {("a", 1, "loss"): 0.5, ("a", 2, "loss"): math.inf}
    store.keep(held, store.News(points=points))
    curve = service.job_curve(job.id)
    assert list(curve.columns) == ["n", "series", "epoch", "name", "value"]
    assert curve["epoch"].tolist() == [1, 2]
    assert curve["value"].isna().tolist() == [False, True]
    assert service.job_curve("none").empty


def test_broken_settings_let_nothing_go_on_by_itself(tmp_path) -> None:
    job = service.submit("parts", WORK, actor=COMMAND_LINE)
    store.claim("scoring", store.Worker(host(), 2**22 + 1, "1"))
    (tmp_path / "state" / "settings.toml").write_text("device = 3")
    service.recover()
    assert service.get_job(job.id).state == "interrupted"


def test_what_is_refused_or_changes_nothing_leaves_no_line_in_the_trail() -> None:
    job = service.submit("parts", WORK, actor=ANALYST)
    for refused in (service.resume, service.forget):
        with pytest.raises(JobError):
            refused(job.id, actor=ANALYST)
    service.cancel(job.id, actor=ANALYST)
    service.cancel(job.id, actor=ANALYST)
    actions = [action for action, _, _ in trail()]
    assert sorted(actions) == ["job.cancelled", "job.submitted"]
