"""A steward trains from the page, on a small synthetic installation, while everything restarts."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest
from playwright.sync_api import Browser, Locator, expect

from resvae_core.jobs import service
from resvae_core.jobs.record import JobRecord
from tests.browser.dashboard import Server, Visitor, running_server, visit
from tests.browser.training import COMPARE, fill_in, open_training, start
from tests.tiny_data import install_tiny_data

SHIPPED = "gdsc-panel"
REASON = "Trying the way there and back."
expect.set_options(timeout=30_000)  # a busy machine is slow, not wrong
StartServer = Callable[[], AbstractContextManager[Server]]


@pytest.fixture
def start_server(tmp_path, monkeypatch) -> Iterator[StartServer]:
    """Return what starts a server on synthetic data and one state folder; also by this process."""
    state = tmp_path / "state"
    monkeypatch.setenv("RESVAE_STATE", str(state))
    monkeypatch.setenv("RESVAE_DATA", str(install_tiny_data(tmp_path / "data")))
    # processes start faster than a scheduler with workers
    monkeypatch.setenv("RESVAE_ENGINE", "processes")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    count = iter(range(9))

    def start_one() -> AbstractContextManager[Server]:
        folder = tmp_path / f"server-{next(count)}"
        folder.mkdir()
        return running_server(folder, {"RESVAE_STATE": str(state)})

    yield start_one
    shutil.rmtree(state, ignore_errors=True)  # workers end when their folder is gone


def box_of(visitor: Visitor, job: JobRecord) -> Locator:
    return visitor.page.locator(f".st-key-job_{job.id}")


def the_job() -> JobRecord:
    return service.list_jobs(task="train")[0]


def wait_for(job_id: str, judge: Callable[[JobRecord], bool], seconds: float = 90) -> JobRecord:
    """Ask the database until a job is as judged."""
    end = time.monotonic() + seconds
    while not judge(job := service.get_job(job_id)):
        assert time.monotonic() < end, (job.state, job.step, job.error)
        time.sleep(0.2)
    return job


@pytest.mark.timeout(400)
def test_a_training_outlives_reload_server_and_browser_until_it_is_cancelled(
    chromium: Browser, start_server: StartServer
) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(start_server())
        with visit(chromium, first.address) as visitor:
            open_training(visitor)
            fill_in(visitor, "long", "VAE_LS", short=False)
            start(visitor)
            job = the_job()
            expect(box_of(visitor, job)).to_contain_text("Running")
            visitor.page.reload()
            visitor.at("Settings")
            expect(box_of(visitor, job)).to_contain_text("Running")
            before = service.get_job(job.id)
            with visit(chromium, first.address) as another:
                open_training(another)
                expect(box_of(another, job)).to_contain_text("Running")
                another.follow("Models")
                chip = another.page.get_by_role("link", name=re.compile(r"Training \d+"))
                chip.click()
                another.at("Settings")
                assert "part=jobs" in another.page.url
                # the first row's box; details are of the page, the list of a fragment
                table = another.page.get_by_test_id("stDataFrame")
                table.click(position={"x": 18, "y": 53})
                expect(box_of(another, job)).to_contain_text("Running")
        first.process.kill()
        first.process.wait()
        second = stack.enter_context(start_server())
        with visit(chromium, second.address) as visitor:
            open_training(visitor)
            box = box_of(visitor, job)
            expect(box).to_contain_text("Running")
            later = wait_for(job.id, lambda job: job.heartbeat_at > before.heartbeat_at)
            assert (later.state, later.attempt) == ("running", 1)
            expect(box).to_contain_text(re.compile(r"loss .* at epoch"), timeout=90_000)
            box.get_by_role("button", name="Cancel").click()
            asked = time.monotonic()
            wait_for(job.id, lambda job: job.state == "cancelled")
            assert time.monotonic() - asked < 4
            expect(box).to_contain_text("Cancelled")
            expect(box.get_by_role("button", name="Resume")).to_be_visible()


@pytest.mark.timeout(400)
def test_a_candidate_is_trained_compared_promoted_and_rolled_back(
    chromium: Browser, start_server: StartServer, monkeypatch
) -> None:
    monkeypatch.setenv("RESVAE_ENGINE", "serial")  # work this small is done before workers start
    with start_server() as server, visit(chromium, server.address) as visitor:
        page = visitor.page
        open_training(visitor)
        fill_in(visitor, "practice", "Random forest")
        start(visitor)
        job = the_job()
        done = wait_for(job.id, lambda job: job.state not in ("queued", "running"), 150)
        assert done.state == "done", done.error
        box = box_of(visitor, job)
        expect(box).to_contain_text("Finished in")
        box.get_by_role("button", name=COMPARE).click()
        expect(page.get_by_text("Compare with the active set")).to_be_visible()
        expect(page.get_by_role("heading", name=done.result["set"])).to_be_visible()
        expect(page.get_by_text(re.compile(r"Gates: \d+ of \d+ passed"))).to_be_visible()
        footer = page.get_by_test_id("stMain").get_by_text(re.compile(r"^ResVAE \d"))
        expect(footer).to_contain_text(SHIPPED)
        page.get_by_role("textbox", name="Why it is to be promoted").fill(REASON)
        page.get_by_role("button", name=re.compile(r"Promote$")).click()
        expect(footer).to_contain_text("practice-short")
        visitor.follow("Models")
        expect(footer).to_contain_text("practice-short")
        visitor.follow("Settings")
        page.get_by_role("button", name="Roll back").click()
        expect(footer).to_contain_text(SHIPPED)
        assert "Something went wrong" not in visitor.words()
