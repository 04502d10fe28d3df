"""The process behind a `Job`: ``python -m resvae_core.jobs.worker TASK ARGUMENTS FOLDER``."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from resvae_core.data.files import write_json
from resvae_core.errors import ResVAEError
from resvae_core.jobs.job import ERROR_FILE, PROGRESS_FILE, RESULT_FILE
from resvae_core.jobs.tasks import TASKS

REPORT = "Start it again; if it fails again, report the kind of error."


def work(task: str, arguments: dict[str, str], folder: Path) -> int:
    """Run a task, write progress and result, and return the exit code.

    It ends when the program that started it does: nobody would read the result.
    """
    starter = os.getppid()

    def report(done: int, total: int) -> None:
        if os.getppid() != starter:
            shutil.rmtree(folder, ignore_errors=True)
            sys.exit(1)
        staged = folder / f"{PROGRESS_FILE}.partial"
        write_json(staged, {"done": done, "total": total})
        staged.replace(folder / PROGRESS_FILE)

    try:
        table = TASKS[task](report, **arguments)
    except ResVAEError as error:
        write_json(folder / ERROR_FILE, {"message": error.message, "remedy": error.remedy})
        return 1
    except Exception as error:
        # the type alone: the text of an exception may hold values
        message = f"The job {task!r} failed ({type(error).__name__})."
        write_json(folder / ERROR_FILE, {"message": message, "remedy": REPORT})
        raise
    staged = folder / f"{RESULT_FILE}.partial"
    table.to_parquet(staged, index=False)
    staged.replace(folder / RESULT_FILE)
    return 0


if __name__ == "__main__":
    sys.exit(work(sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3])))
