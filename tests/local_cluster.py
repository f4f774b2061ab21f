"""Schedulers for tests: submitit's local executor, and one that does a task at once, in this process."""

import logging.config
import os
import signal
import sys
import traceback
from pathlib import Path

import submitit
from submitit.core import logger
from submitit.core.submission import process_job
from submitit.core.utils import DelayedSubmission, JobPaths
from submitit.local.local import LOCAL_REQUEUE_RETURN_CODE

from closedist.paper.cluster.jobs import Queue
from closedist.system.slurm import last_error


class LocalProcesses:
    """Each task is a process of submitit's local executor, which starts it again when it asks for a requeue."""

    poll_seconds = 0.05
    grace_seconds = 0.0

    def __init__(self):
        self.jobs = {}

    def submit(self, tasks, seconds, folder, name, after=()):
        jobs = [self.start(task, folder) for task in tasks]
        self.jobs |= dict(jobs)
        return [job for job, _ in jobs]

    def start(self, task, folder):
        """Its number, and a function that says whether it has ended."""
        executor = submitit.LocalExecutor(folder, max_num_timeout=10)
        executor.update_parameters(timeout_min=10)
        job = executor.submit(task)
        return job.job_id, job.done

    def states(self, jobs):
        return {job: "RUNNING" for job in jobs if not self.jobs[job]()}

    def cancel(self, name):
        raise AssertionError("nothing was cut off while it was being submitted")

    def ending(self, job, folder):
        return f"failed: {last_error(folder, job)}"

    def signal_task(self, job, number):
        """Send a signal to the process that computes, as a node would."""
        (child,) = Path(f"/proc/{job}/task/{job}/children").read_text().split()
        os.kill(int(child), number)


class ForkedProcesses(LocalProcesses):
    """The same with forks of this process, which need not import PyTorch again."""

    def start(self, task, folder):
        controller = os.fork()
        if not controller:
            _control(task, folder)
        ended = False

        def done():
            nonlocal ended
            ended = ended or os.waitpid(controller, os.WNOHANG)[0] == controller
            return ended

        return str(controller), done


def _control(task, folder):
    """What submitit's controller does: run the task in a process, again and again while that asks for a requeue."""
    delayed = DelayedSubmission(task)
    delayed.set_timeout(timeout_min=10, max_num_timeout=10)
    paths = JobPaths(folder, str(os.getpid()), 0)
    paths.folder.mkdir(parents=True, exist_ok=True)
    delayed.dump(paths.submitted_pickle)
    requeued = LOCAL_REQUEUE_RETURN_CODE
    while requeued == LOCAL_REQUEUE_RETURN_CODE:
        child = os.fork()
        if not child:
            _run(paths)
        requeued = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os._exit(0)


def _run(paths):
    """The task in this process, with submitit's signals and logs."""
    os.environ |= {"SUBMITIT_EXECUTOR": "local", "SUBMITIT_LOCAL_JOB_ID": paths.job_id}
    sys.stdout, sys.stderr = (open(path, "a", buffering=1) for path in (paths.stdout, paths.stderr))  # noqa: SIM115
    logging.root.handlers.clear()
    logging.config.dictConfig(logger.CONFIG)
    code = 1
    try:
        process_job(paths.folder)
        code = 0
    except SystemExit as stop:
        code = stop.code
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


class AtOnce:
    """Each task is done when it is submitted."""

    poll_seconds = 0.0
    grace_seconds = 0.0

    def __init__(self, resources=None):
        self.resources = resources
        self.submitted = []
        self.errors = {}
        self.cancelled = []

    def check_available(self):
        pass

    def submit(self, tasks, seconds, folder, name, after=()):
        jobs = [f"{len(self.submitted) + 1}_{index}" for index in range(len(tasks))]
        self.submitted.append(tasks)
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR2)}
        for job, task in zip(jobs, tasks, strict=True):
            try:
                task()
            except ValueError as error:
                self.errors[job] = str(error)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        return jobs

    def states(self, jobs):
        return {}

    def cancel(self, name):
        self.cancelled.append(name)

    def ending(self, job, folder):
        return f"failed: {self.errors[job]}"


def queue_of(place, scheduler, most_tasks=10):
    return Queue(scheduler, place.folders.checkpoints / "slurm", threads=1, least_seconds=0, most_tasks=most_tasks)
