"""Students of teachers: one program does what each alone would, and a stopped training goes on to the same bits."""

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from closedist import InputError, Representations, capacity_floor
from closedist.paper.distillation import training
from closedist.paper.distillation.experiment import run
from closedist.paper.distillation.networks import initial_weights, stacked
from closedist.paper.distillation.plan import Distillation, with_epochs, with_widths
from closedist.paper.distillation.setups import SET_UPS, Data
from closedist.paper.distillation.training import Schedule, Stopped
from closedist.system.locks import exclusive


def small(kinds=("kl", "l2"), epochs=4, students=2, seed=0):
    """Two teachers on a few points of the plane; nothing is downloaded and nothing takes long."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(96, 2, generator=generator)
    labels = (points[:, 0] > 0).long() + 2 * (points[:, 1] > 0).long()
    data = Data(points[:64], points[64:], {"linear": labels[:64]}, {"linear": labels[64:]})
    set_up = with_epochs(with_widths(SET_UPS["spirals"], (8, 8)), epochs, epochs)
    teacher = replace(set_up.teacher, heads={"linear": 4})
    schedules = {
        name: replace(getattr(set_up, name), batch_size=24, learning_rate=1e-2, evaluate_every=2)
        for name in ("teacher_schedule", "student_schedule")
    }
    set_up = replace(set_up, load=lambda folder: data, teacher=teacher, **schedules)
    return Distillation(set_up, 2, students, kinds)


def run_all(plan, folder):
    return run(plan, folder, Path(), lambda epochs: None)


def weights_of(folder):
    return {path.name: torch.load(path, weights_only=True) for path in sorted(folder.glob("*.pt"))}


def assert_equal_models(first, second):
    assert first.keys() == second.keys()
    for name, state in first.items():
        for key, value in state.items():
            assert torch.equal(value, second[name][key]), (name, key)


def test_a_stopped_training_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    plan = small()
    run_all(plan, tmp_path / "undisturbed")
    stops = iter([False, True, False, False, False, True] + [False] * 100)

    class Requests:
        def __enter__(self):
            return lambda: stopped

        def __exit__(self, *error):
            return False

    stopped = False
    real = training.one_epoch

    def one_epoch(*arguments):
        nonlocal stopped
        stopped = next(stops)
        real(*arguments)

    monkeypatch.setattr(training, "stop_requests", Requests)
    monkeypatch.setattr(training, "one_epoch", one_epoch)
    times = 0
    while True:
        try:
            run_all(plan, tmp_path / "stopped")
            break
        except Stopped:
            times += 1
    assert times == 2
    assert_equal_models(weights_of(tmp_path / "undisturbed"), weights_of(tmp_path / "stopped"))
    for path in (tmp_path / "undisturbed").glob("metrics-*.json"):
        assert json.loads(path.read_text()) == json.loads((tmp_path / "stopped" / path.name).read_text())
    assert not list((tmp_path / "stopped").glob("*state*"))


@pytest.mark.parametrize("when", [0, 1, 2, 3])
def test_a_training_that_dies_between_scoring_and_saving_goes_on_to_the_same_bits(tmp_path, monkeypatch, when):
    plan = small(kinds=("kl", "l2"), epochs=6, students=1)
    plan = replace(plan, teachers=1)
    files = run_all(plan, tmp_path / "undisturbed")
    real, calls = training._save, iter(range(100))

    def dying(*arguments):
        if next(calls) == when:
            raise SystemError("killed")
        real(*arguments)

    monkeypatch.setattr(training, "_save", dying)
    with pytest.raises(SystemError):
        run_all(plan, tmp_path / "died")
    run_all(plan, tmp_path / "died")
    assert_equal_models(weights_of(tmp_path / "undisturbed"), weights_of(tmp_path / "died"))
    for path in files:
        assert json.loads(path.read_text()) == json.loads((tmp_path / "died" / path.name).read_text())


def test_two_runs_in_one_folder_train_each_model_once_and_say_so(tmp_path, caplog):
    plan, done = replace(small(students=1), teachers=1), []
    second = threading.Thread(target=lambda: done.append(run_all(plan, tmp_path)))
    with exclusive(tmp_path / ".distil.lock", lambda: None):  # held by open files: two threads meet as two processes do
        second.start()
        deadline = time.monotonic() + 60
        while "another run is at work" not in caplog.text and second.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "another run is at work" in caplog.text
        assert not list(tmp_path.glob("*.pt"))
    second.join()
    written = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert run_all(plan, tmp_path) == done[0]
    assert written == {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}


def test_no_student_depends_on_what_else_trains(tmp_path):
    run_all(small(kinds=("kl", "l2"), students=2), tmp_path / "together")
    run_all(small(kinds=("l2",), students=1), tmp_path / "alone")
    together, alone = weights_of(tmp_path / "together"), weights_of(tmp_path / "alone")
    assert set(alone) < set(together)
    for name, state in alone.items():
        for key, value in state.items():
            torch.testing.assert_close(together[name][key], value, rtol=1e-4, atol=1e-6)


def test_every_student_is_scored_at_every_evaluation_and_its_representations_are_kept(tmp_path):
    files = run_all(small(), tmp_path)
    assert len(files) == 2 * 2 * 2
    content = json.loads(files[0].read_text())
    assert content["epoch_num"] == [1, 3]
    for split in ("train", "test"):
        assert len(content[split]["kl_to_teacher"]) == 2
        assert content[split]["d_LLD"] == pytest.approx([value**2 for value in content[split]["d_logit"]])
    name = files[0].name.removeprefix("metrics-").removesuffix(".json")
    assert name == "synthetic-standard-kldistill-mlp-tseed400-epoch3-seed40"
    assert Representations.load(tmp_path / f"{name}_reps_test.safetensors").num_inputs == 32


def test_inputs_unlike_those_of_the_training_are_scored_too(tmp_path):
    plan = small(kinds=("l2",), students=1)
    data = plan.set_up.load(Path())
    far = data.test * 5
    outside = replace(data, outside=(far, data.test_labels["linear"]))
    plan = replace(plan, set_up=replace(plan.set_up, load=lambda folder: outside, part="interpolation"))
    (path, _) = run_all(plan, tmp_path)
    assert path.name.startswith("metrics-synthetic-interpolation-logitdistill-l2-")
    found = json.loads(path.read_text())
    assert len(found["outside"]["kl_to_teacher"]) == len(found["epoch_num"])
    assert found["outside"]["d_logit"][-1] > found["test"]["d_logit"][-1]


def test_students_come_closer_to_their_teacher(tmp_path):
    content = json.loads(run_all(small(epochs=40), tmp_path)[0].read_text())
    assert content["test"]["kl_to_teacher"][-1] < 0.2 * content["test"]["kl_to_teacher"][0]


def test_the_baseline_learns_the_labels_and_not_its_teacher(tmp_path):
    files = run_all(small(kinds=("l2", "labels"), epochs=30, students=1), tmp_path)
    alone = run_all(small(kinds=("labels",), epochs=30, students=1), tmp_path / "alone")
    for path in alone:  # whatever the teacher, the same model
        state = torch.load(path.with_name(path.name.removeprefix("metrics-")).with_suffix(".pt"), weights_only=True)
        other = torch.load(tmp_path / path.name.removeprefix("metrics-").replace(".json", ".pt"), weights_only=True)
        for key, value in state.items():
            torch.testing.assert_close(other[key], value, rtol=1e-4, atol=1e-6)
    distilled, baseline = (json.loads(files[index].read_text())["test"] for index in (0, 1))
    assert distilled["kl_to_teacher"][-1] < 0.5 * baseline["kl_to_teacher"][-1]
    assert baseline["acc"][-1] > 0.8


def test_a_smaller_student_comes_no_closer_than_its_dimension_allows(tmp_path):
    plan = small(kinds=("l2",), epochs=30, students=1)
    plan = replace(plan, set_up=replace(plan.set_up, student_dimension=1))
    name = run_all(plan, tmp_path)[0].stem.removeprefix("metrics-")
    content = json.loads((tmp_path / f"metrics-{name}.json").read_text())["test"]
    student = Representations.load(tmp_path / f"{name}_reps_test.safetensors")
    teacher = Representations.load(tmp_path / f"{plan.teacher_name(400)}_reps_test.safetensors")
    assert student.dimension == 1
    floor = float(capacity_floor(teacher)[0])
    for distance, apart in zip(content["d_logit_centred"], content["variance_apart"], strict=True):
        assert floor**2 <= apart * (1 + 1e-9) <= distance**2 * (1 + 1e-9) ** 2


def test_another_experiment_in_the_same_folder_is_refused(tmp_path):
    plan = small()
    run_all(plan, tmp_path)
    with pytest.raises(InputError, match="give another --output folder"):
        run_all(replace(plan, temperature=2.0), tmp_path)


def test_a_stack_of_networks_embeds_as_each_alone():
    architecture = replace(SET_UPS["digits"].teacher, sizes=(64, 16, 5))
    states = [initial_weights(architecture, seed, xavier_heads=True) for seed in (1, 2)]
    inputs = torch.randn(7, 64)
    both = architecture.embed(stacked(states), inputs.unsqueeze(0), None)
    for state, embeddings in zip(states, both, strict=True):
        hidden = torch.relu(inputs @ state["encoder.0.weight"].T + state["encoder.0.bias"])
        alone = hidden @ state["encoder.3.weight"].T + state["encoder.3.bias"]
        torch.testing.assert_close(embeddings, alone, rtol=1e-4, atol=1e-5)


def test_dropout_reaches_values_and_gradients_of_every_kind_and_seed():
    architecture = replace(SET_UPS["spirals"].student, sizes=(2, 16, 16, 2))
    states = [initial_weights(architecture, seed, xavier_heads=True) for seed in (1, 2) * 3]  # three kinds, two seeds
    stack = {key: value.requires_grad_() for key, value in stacked(states).items()}
    inputs = torch.randn(6, 7, 2)
    noise = architecture.noise(7, [torch.Generator().manual_seed(seed) for seed in (3, 4)])
    embeddings = architecture.embed(stack, inputs, noise)
    (embeddings**2).sum().backward()
    for index, state in enumerate(states):
        alone = {key: value.clone().requires_grad_() for key, value in state.items()}
        hidden = inputs[index]
        for layer, name in enumerate(architecture.layers):
            hidden = hidden @ alone[f"{name}.weight"].T + alone[f"{name}.bias"]
            if layer < 2:
                hidden = torch.relu(hidden) * noise[layer][index % 2]
        (hidden**2).sum().backward()
        torch.testing.assert_close(embeddings[index], hidden, rtol=1e-4, atol=1e-5)
        for name in architecture.layers:
            for key in (f"{name}.weight", f"{name}.bias"):
                torch.testing.assert_close(stack[key].grad[index], alone[key].grad, rtol=1e-3, atol=1e-5)


def test_the_learning_rate_warms_up_and_then_decays():
    schedule = Schedule(500, 512, 1e-3, 0.995, 20, 50)
    rates = [schedule.rate(epoch) for epoch in (0, 19, 20, 21, 30)]
    assert rates == pytest.approx([1e-6, 1e-6, 1e-3, 9.95e-4, 1e-3 * 0.995**10])
    assert [epoch for epoch in range(500) if schedule.evaluated(epoch)] == list(range(49, 500, 50))
