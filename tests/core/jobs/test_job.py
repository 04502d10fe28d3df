from __future__ import annotations

import gc
import time

import pandas as pd
import pytest

from resvae_core.errors import JobError
from resvae_core.jobs.job import Job

ARGUMENTS = {"cohort": "DEMO", "drug": "Gefitinib", "model": "elastic_net"}


def wait(job: Job, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while job.state == "running":
        assert time.monotonic() < end, "the job did not end"
        time.sleep(0.1)


def test_a_job_tells_its_progress_and_returns_a_table() -> None:
    job = Job.start("attribute_cohort", ARGUMENTS)
    assert job.state == "running"
    wait(job)
    assert job.state == "done"
    done, total = job.progress()
    assert done == total > 0
    table = job.result()
    assert list(table.columns) == ["sample", "gene", "value", "attribution"]
    assert table["sample"].nunique() == total
    means = table["attribution"].abs().groupby(table["gene"], sort=False).mean()
    assert means.is_monotonic_decreasing
    again = Job.start("attribute_cohort", ARGUMENTS)
    wait(again)
    pd.testing.assert_frame_equal(table, again.result())
    for one in (job, again):
        one.forget()
        assert not one.folder.exists()


def test_a_job_that_fails_says_what_the_task_said() -> None:
    job = Job.start("attribute_cohort", {**ARGUMENTS, "cohort": "no such cohort"})
    wait(job)
    assert job.state == "failed"
    with pytest.raises(JobError, match="no such cohort") as caught:
        job.result()
    assert caught.value.remedy
    job.forget()


def test_a_job_that_is_killed_from_outside_is_failed_not_done() -> None:
    job = Job.start("attribute_cohort", ARGUMENTS)
    job.process.kill()
    job.process.wait()
    assert job.state == "failed"
    with pytest.raises(JobError, match="ended early"):
        job.result()
    job.forget()


def test_a_cancelled_job_has_no_result_and_leaves_nothing() -> None:
    job = Job.start("attribute_cohort", ARGUMENTS)
    job.cancel()
    assert job.state == "cancelled"
    assert not job.folder.exists()
    with pytest.raises(JobError, match="cancelled"):
        job.result()


def test_a_job_that_nobody_holds_any_more_is_stopped_and_leaves_nothing() -> None:
    job = Job.start("attribute_cohort", ARGUMENTS)
    process, folder = job.process, job.folder
    assert folder.is_dir()
    del job
    gc.collect()
    assert process.poll() is not None
    assert not folder.exists()


def test_an_unexpected_failure_says_its_kind_and_no_values() -> None:
    job = Job.start("attribute_cohort", {**ARGUMENTS, "patient": "secret"})
    wait(job)
    with pytest.raises(JobError, match="TypeError") as caught:
        job.result()
    assert "secret" not in str(caught.value)
    job.forget()
