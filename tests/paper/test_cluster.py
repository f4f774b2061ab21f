"""A sweep as tasks of a job array: the same files as without, whatever happens to tasks, nodes and commands."""

import signal
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closedist.cli import COMMANDS, make_app, run
from closedist.errors import InputError
from closedist.paper.cluster.record import Record, read_record, write_record
from closedist.paper.cluster.tasks import Work, group
from closedist.paper.cluster.works import training_works
from closedist.paper.plan import make_plan
from closedist.paper.runs import training_runs
from closedist.paper.sweep import CPU, train_runs
from tests.local_cluster import AtOnce, ForkedProcesses, LocalProcesses, queue_of
from tests.small import contents, small_dataset, small_family, small_training, workplace


def family_runs(steps, widths=(8, 16), **changes):
    training = small_training(steps, **changes)
    return list(training_runs(small_dataset(), small_family(widths=widths), training, "day"))


def works_of(runs, place):
    return training_works(make_plan(runs, place.folders, CPU), place)


def without_logs(folder):
    return {name: data for name, data in contents(folder).items() if "/slurm/" not in name}


@pytest.fixture
def undisturbed(tmp_path):
    """What the same training leaves without a cluster."""

    def files(runs):
        train_runs(runs, workplace(tmp_path / "undisturbed"))
        return contents(tmp_path / "undisturbed")

    return files


def test_tasks_leave_the_files_of_a_training_without_them_and_a_second_command_finds_them(tmp_path, undisturbed):
    runs = family_runs(300)
    place = workplace(tmp_path / "cluster")
    scheduler = LocalProcesses()
    works = works_of(runs, place)
    assert queue_of(place, scheduler).submit([works]) == 2
    again = queue_of(place, scheduler)
    assert again.submit([works_of(runs, place)]) == 0
    again.wait(works)
    again.forget_finished()
    assert without_logs(tmp_path / "cluster") == undisturbed(runs)
    assert works_of(runs, place) == []
    left = {path.name.partition("_0_log")[2] for path in (place.folders.checkpoints / "slurm").iterdir()}
    assert left == {".out", ".err"}


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_out_of_time_a_task_goes_on_in_another_turn_and_cancelled_in_another_job(tmp_path, undisturbed):
    runs = family_runs(4000, widths=(8,))
    place = workplace(tmp_path / "cluster")
    scheduler = ForkedProcesses()
    queue = queue_of(place, scheduler)
    works = works_of(runs, place)
    queue.submit([works])
    (job,) = scheduler.jobs
    checkpoints = place.folders.checkpoints
    _signal_while_training(scheduler, job, signal.SIGUSR2, checkpoints)
    _signal_while_training(scheduler, job, signal.SIGTERM, checkpoints)
    with pytest.raises(
        InputError, match=r"1 of 1 tasks did not finish \(.*stopped after \d+ steps.*same command again"
    ):
        queue.wait(works)
    log = (checkpoints / "slurm" / f"{job}_0_log.out").read_text()
    assert "Requeued job" in log
    assert "going on from step" in log
    assert queue.submit([works_of(runs, place)]) == 1
    queue.wait(works)
    assert without_logs(tmp_path / "cluster") == undisturbed(runs)


def _signal_while_training(scheduler, job, number, checkpoints):
    """Signal the task once it holds its lock, and wait until it has saved a later state and let it go."""
    before = set(checkpoints.glob("daystate*"))
    _until(lambda: list(checkpoints.glob(".*lock")))
    time.sleep(0.1)
    scheduler.signal_task(job, number)
    _until(lambda: set(checkpoints.glob("daystate*")) - before and not list(checkpoints.glob(".*lock")))


def _until(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_last_error_of_a_failed_task_is_shown_and_the_others_finish(tmp_path):
    place = workplace(tmp_path)
    fine, diverging = family_runs(100, widths=(8,)), family_runs(1500, learning_rate=1e30, widths=(16,))
    works = works_of(fine, place) + works_of(diverging, place)
    scheduler = ForkedProcesses()
    queue = queue_of(place, scheduler)
    queue.submit([works])
    with pytest.raises(
        InputError, match=r"1 of 2 tasks did not finish .*failed: training diverged for seed 0"
    ) as caught:
        queue.wait(works)
    assert "\n" not in str(caught.value)
    assert fine[0].missing(place.folders.checkpoints) == ()


def test_files_that_appear_after_a_task_was_given_up_end_the_waiting(tmp_path):
    """Such as on a slow network disk, or from a second command."""

    class Late(AtOnce):
        polls = 0

        def submit(self, tasks, seconds, folder, name, after=()):
            return [f"1_{index}" for index in range(len(tasks))]

        def states(self, jobs):
            self.polls += 1
            if self.polls == 3:
                train_runs(runs, place)
            return {} if self.polls > 3 else {"1_1": "RUNNING"}

        def ending(self, job, folder):
            return "failed"

    runs, place = family_runs(50), workplace(tmp_path)
    works = works_of(runs, place)
    queue = queue_of(place, Late())
    queue.submit([works])
    queue.wait(works)
    assert works_of(runs, place) == []


def test_a_command_killed_while_submitting_is_followed_by_one_that_ends_its_jobs_and_submits_anew(tmp_path):
    place = workplace(tmp_path)
    scheduler = AtOnce()
    queue = queue_of(place, scheduler)
    write_record(queue.folder, Record(submitting="closedist-0123"))
    works = works_of(family_runs(5), place)
    assert queue.submit([works]) == 2
    assert scheduler.cancelled == ["closedist-0123"]
    assert read_record(queue.folder).submitting is None


def test_a_broken_record_and_a_silent_cluster_are_errors_that_say_what_to_do(tmp_path):
    place = workplace(tmp_path)
    scheduler = AtOnce()
    queue = queue_of(place, scheduler)
    works = works_of(family_runs(5), place)
    queue.submit([works])
    scheduler.states = lambda jobs: None
    with pytest.raises(InputError, match=r"does not answer.*try again"):
        queue.submit([works])
    (queue.folder / "jobs.json").write_text('{"tasks": 3}')
    with pytest.raises(InputError, match="delete it when no job"):
        queue.submit([works])


seconds = st.floats(0.1, 1e4)


@given(st.lists(seconds, min_size=1, max_size=40), st.floats(0, 2e4), st.integers(1, 50))
def test_tasks_do_every_work_once_and_are_of_about_equal_length(lengths, least_seconds, most_tasks):
    works = [Work((Path(str(index)),), length, print) for index, length in enumerate(lengths)]
    tasks = group(works, least_seconds=least_seconds, most_tasks=most_tasks)
    assert sorted(work.files for task in tasks for work in task) == sorted(work.files for work in works)
    assert all(tasks)
    assert len(tasks) <= min(most_tasks, len(works))
    assert len(tasks) == 1 or sum(lengths) / len(tasks) >= least_seconds
    sums = [sum(work.seconds for work in task) for task in tasks]
    assert max(sums) <= sum(lengths) / len(tasks) + max(lengths) + 1e-6


def test_what_was_refused_leaves_no_record(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise InputError("SLURM refused the jobs")

    scheduler = AtOnce()
    monkeypatch.setattr(scheduler, "submit", refuse)
    place = workplace(tmp_path)
    queue = queue_of(place, scheduler)
    with pytest.raises(InputError, match="SLURM refused"):
        queue.submit([works_of(family_runs(5), place)])
    assert read_record(queue.folder) == Record()


def closedist(*tokens):
    return run(make_app("closedist", COMMANDS), list(tokens))


@pytest.fixture
def at_once(monkeypatch):
    """In the place of SLURM, a scheduler that does each task when it is submitted."""
    schedulers = []

    def scheduler(resources):
        schedulers.append(AtOnce(resources))
        return schedulers[-1]

    monkeypatch.setattr("closedist.system.slurm.Slurm", scheduler)
    return schedulers


def write_configs(folder, steps=60):
    folder.mkdir()
    for name, config in {
        "radial_classification_20000_0_cls4.json": small_dataset(),
        "model_variations_config_4_classes.json": small_family((0, 1, 2), (8, 16)),
        "radial_classification_0_128_ADAM_0_0001.json": small_training(steps),
    }.items():
        (folder / name).write_text(config.model_dump_json())


TRAIN = (
    "train-variations",
    "--dataset-config=radial_classification_20000_0_cls4.json",
    "--model-var-config=model_variations_config_4_classes.json",
    "--train-config=radial_classification_0_128_ADAM_0_0001.json",
    "--date-str=day",
)
DISTANCES = ("get-distances", "--date-str=day", "--layer-size=8,16", "--num-classes=4", "--dist-type=max")


def test_train_variations_and_get_distances_say_and_leave_the_same_with_and_without_a_cluster(
    tmp_path, monkeypatch, capsys, at_once
):
    said = []
    for name, options in (("here", ["--threads=1"]), ("cluster", ["--slurm", "--task-minutes=0"])):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        write_configs(Path("configs"))
        assert closedist(*TRAIN, *options) == 0
        assert closedist(*DISTANCES, *options) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert without_logs(tmp_path / "cluster") == without_logs(tmp_path / "here")
    assert [len(scheduler.submitted) for scheduler in at_once] == [1, 1]
    assert closedist(*TRAIN, "--slurm") == 0
    assert at_once[-1].submitted == []


def test_a_reproduction_that_nobody_waits_for_is_finished_by_a_job_of_its_own(tmp_path, monkeypatch, capsys, at_once):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("closedist.paper.plan.paper_training", lambda: small_training(40))
    drawn = []
    monkeypatch.setattr("closedist.paper.reproduce.draw_synthetic", lambda *arguments: drawn.append(arguments))
    options = ("--labels=4", "--widths=8", "--lengths=0", "--seeds=2", "--format=png")
    assert closedist("reproduce", "--slurm", "--no-wait", *options) == 0
    assert "measures and draws" in capsys.readouterr().out
    trainings, follow_up = at_once[0].submitted
    assert (len(trainings), len(follow_up)) == (1, 1)
    assert len(drawn) == 1
    assert len(list(Path("results").iterdir())) == 2


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["--partition=main"], "need --slurm"),
        (["--slurm", "--time=soon"], "--time: 'soon'"),
        (["--slurm", "--cpus-per-task=2", "--threads=3"], "leave one of the two out"),
        (["--slurm", "--max-jobs=0"], "--max-jobs"),
        (["--slurm", "--sbatch=16G"], "--sbatch: '16G'"),
        (["--slurm", "--cuda"], "--gpus-per-task=1"),
    ],
)
def test_options_that_do_not_belong_together_are_one_line(tmp_path, monkeypatch, capsys, at_once, options, shown):
    monkeypatch.chdir(tmp_path)
    write_configs(Path("configs"))
    assert closedist(*TRAIN, *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert shown in line
