"""Schedulers for tests: submitit's local executor, and one that does a task at once, in this process."""

import os
import signal
from pathlib import Path

import submitit

from closedist.paper.cluster.jobs import Queue
from closedist.system.slurm import last_error


class LocalProcesses:
    """Each task is a process of submitit's local executor, which starts it again when it asks for a requeue."""

    poll_seconds = 0.05
    grace_seconds = 0.0

    def __init__(self):
        self.jobs = {}

    def submit(self, tasks, seconds, folder, name, after=()):
        executor = submitit.LocalExecutor(folder, max_num_timeout=10)
        executor.update_parameters(timeout_min=10)
        jobs = {job.job_id: job for job in (executor.submit(task) for task in tasks)}
        self.jobs |= jobs
        return list(jobs)

    def states(self, jobs):
        return {job: "RUNNING" for job in jobs if not self.jobs[job].done()}

    def cancel(self, name):
        raise AssertionError("nothing was cut off while it was being submitted")

    def ending(self, job, folder):
        return f"failed: {last_error(folder, job)}"

    def signal_task(self, job, number):
        """Send a signal to the process that computes, as a node would."""
        (child,) = Path(f"/proc/{job}/task/{job}/children").read_text().split()
        os.kill(int(child), number)


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
