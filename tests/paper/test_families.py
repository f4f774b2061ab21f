"""Files of representations stand for the checkpoints: written once, measured alike, and never for another training."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from closedist.cli import COMMANDS, make_app, run
from closedist.errors import InputError
from closedist.measures.settings import Settings
from closedist.paper.families import with_family
from closedist.paper.measurements import Measurement, complete_accuracies, measure_distances
from closedist.paper.plan import make_plan, synthetic_runs
from closedist.paper.reproduce import measure_runs, train_plan
from closedist.paper.runs import training_runs
from closedist.paper.shipped import runs_with_results, take_over
from closedist.paper.sweep import CPU, train_runs
from closedist.paper.trained_models import export_families, family_representations
from tests.small import contents, small_dataset, small_family, small_run, small_training, workplace, write_configs

NAME = "day_radial_classification_SmallMLP_8_cls4.safetensors"


@pytest.fixture
def trained(tmp_path):
    """A small run whose models are trained, and its workplace."""
    place = workplace(tmp_path)
    run_ = small_run(training=small_training(300))
    train_runs([run_], place)
    return run_, place


def exported(run_, place):
    return list(export_families([run_], place.folders, CPU))


def without_checkpoints(place):
    for path in place.folders.checkpoints.iterdir():
        path.unlink()


def numbers(folders):
    """Of every result file its numbers, choices and seeds."""
    return {path.name: json.loads(path.read_text()) for path in sorted(folders.results.iterdir())}


def test_a_file_holds_what_every_seeds_model_says_of_the_test_inputs(trained):
    run_, place = trained
    (path,) = exported(run_, place)
    assert path == place.folders.representations / NAME
    tensors = load_file(path)
    assert {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in tensors.items()} == {
        "embeddings": (torch.float32, (3, 100, 2)),
        "unembeddings": (torch.float32, (3, 4, 2)),
        "seeds": (torch.int64, (3,)),
    }
    assert tensors["seeds"].tolist() == [0, 1, 2]
    for row, model in enumerate(family_representations(run_, "test", place.folders, CPU)):
        assert torch.equal(tensors["embeddings"][row], model.embeddings)
        assert torch.equal(tensors["unembeddings"][row], model.unembeddings)
    assert [file.name for file in path.parent.iterdir()] == [NAME]


def test_the_names_of_fixed_lengths_are_those_of_result_files():
    free, of_f, of_g, both = synthetic_runs((10,), (16,), (0, 20), 2, "day")
    assert [run_.name.family for run_ in (free, of_f, of_g, both)] == [
        f"radial_classification_SmallMLP{lengths}_16_cls10" for lengths in ("", "_f_20", "_g_20", "_g_20_f_20")
    ]


def test_only_a_whole_family_is_written_and_a_file_of_any_date_stays_the_only_one(trained):
    run_, place = trained
    more = small_run(small_family((0, 1, 2, 3)), small_training(300))
    assert exported(more, place) == []
    (path,) = exported(run_, place)
    earlier = path.rename(path.with_name(path.name.replace("day", "2020-01-01")))
    before = earlier.read_bytes()
    assert exported(run_, place) == []
    assert contents(place.folders.representations) == {earlier.name: before}


def test_measured_from_representations_everything_is_as_from_checkpoints(trained):
    run_, place = trained
    folders = place.folders
    files = measure_runs([run_], Measurement(), folders, CPU)
    from_checkpoints = numbers(folders)
    exported(run_, place)
    without_checkpoints(place)
    for path in files:
        path.unlink()
    with pytest.raises(InputError, match="no trained checkpoints"):
        measure_runs([run_], Measurement(), folders, CPU)
    again = with_family(run_, folders.representations)
    assert measure_runs([again], Measurement(), folders, CPU) == files
    assert numbers(folders).keys() == from_checkpoints.keys()
    for name, columns in numbers(folders).items():
        for key, values in columns.items():
            expected = from_checkpoints[name][key]
            if key in ("model_seeds", "input_idxs", "y_pivot_idx", "lo_idx", "accuracy"):
                assert values == expected
            else:
                torch.testing.assert_close(torch.tensor(values), torch.tensor(expected), rtol=1e-6, atol=0)


def test_of_a_seed_with_a_checkpoint_the_checkpoint_is_measured_and_of_the_others_the_file(trained):
    run_, place = trained
    models = family_representations(run_, "test", place.folders, CPU)
    exported(run_, place)
    (place.folders.checkpoints / run_.name.trained(1)).unlink()
    path = place.folders.representations / NAME
    tensors = load_file(path)
    tensors["embeddings"][:] = 7.0
    save_file(tensors, path, metadata={"training": json.dumps({"configuration": run_.digest, "steps": 300})})
    mixed = family_representations(with_family(run_, path.parent), "test", place.folders, CPU)
    assert [bool((model.embeddings == 7).all()) for model in mixed] == [False, True, False]
    assert torch.equal(mixed[2].embeddings, models[2].embeddings)


def test_a_file_counts_for_its_own_training_only(trained):
    run_, place = trained
    (path,) = exported(run_, place)
    assert with_family(run_, path.parent).family.seeds == (0, 1, 2)
    for other in (small_training(301), small_training(300, weight_decay=0.1), small_training(300, batch_size=32)):
        assert with_family(small_run(training=other), path.parent).family is None
    assert with_family(small_run(small_family(nonlinearity="relu"), small_training(300)), path.parent).family is None
    save_file(load_file(path), path)  # without a record, as first shipped: the paper's own configuration
    assert with_family(run_, path.parent).family is None
    papers = path.with_name("day_radial_classification_SmallMLP_16_cls4.safetensors")
    path.rename(papers)
    (of_paper,) = synthetic_runs((4,), (16,), (0,), 20, "another day")
    assert with_family(of_paper, papers.parent).family.path == papers
    assert with_family(of_paper, papers.parent, "another day").family is None


def test_of_several_files_the_one_with_most_seeds_is_taken_then_the_newest(trained):
    run_, place = trained
    (path,) = exported(run_, place)
    tensors, metadata = load_file(path), {"training": json.dumps({"configuration": run_.digest, "steps": 300})}
    for date, seeds in (("2020-01-01", 3), ("2020-01-02", 3), ("2020-01-03", 2)):
        few = {name: tensor[:seeds].contiguous() for name, tensor in tensors.items()}
        save_file(few, path.with_name(path.name.replace("day", date)), metadata=metadata)
    path.unlink()
    assert with_family(run_, path.parent).family.path.name.startswith("2020-01-02")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-5]), "cannot read the representations"),
        (lambda path: save_file({"seeds": torch.arange(3)}, path), "cannot read the representations"),
        (lambda path: save_file(load_file(path) | {"seeds": torch.arange(2)}, path), "several seeds"),
        (lambda path: save_file(load_file(path) | {"seeds": torch.zeros(3, dtype=torch.int64)}, path), "different"),
    ],
)
def test_a_damaged_file_is_refused_with_its_name_and_a_remedy(trained, damage, message):
    run_, place = trained
    (path,) = exported(run_, place)
    damage(path)
    with pytest.raises(InputError, match=message) as error:
        with_family(run_, path.parent)
    assert NAME in str(error.value)
    assert "delete it" in str(error.value)


def test_a_plan_trains_only_the_seeds_that_no_file_has(trained):
    run_, place = trained
    exported(run_, place)
    without_checkpoints(place)
    more = replace(small_run(small_family((0, 1, 2, 3, 4)), small_training(300)))
    more = replace(more, name=replace(more.name, date="later"))
    (piece,) = make_plan([with_family(more, place.folders.representations)], place.folders, CPU)
    assert (piece.seeds, piece.steps_left) == ((3, 4), 600)
    told = []
    assert train_plan([piece], place, told.append) == 2
    assert sum(told) == pytest.approx(piece.seconds)
    trained_now = {path.name for path in place.folders.checkpoints.iterdir() if "_steps300" in path.name}
    assert {more.name.trained(3), more.name.trained(4)} <= trained_now
    assert more.name.trained(0) not in trained_now
    measure_runs([piece.run], Measurement(), place.folders, CPU)
    (distances,) = place.folders.results.glob("later_*distances*")
    assert len(json.loads(distances.read_text())["model_seeds"]) == 10


def test_training_on_says_that_it_needs_the_checkpoint(trained):
    run_, place = trained
    exported(run_, place)
    without_checkpoints(place)
    longer = with_family(small_run(training=small_training(400)), place.folders.representations)
    with pytest.raises(InputError, match=r"--continue-from: there is no checkpoint .*_steps300 .*representations"):
        train_runs([longer], place, continue_from=300)


def test_results_of_another_date_stand_for_models_that_are_not_there(trained, caplog):
    run_, place = trained
    folders = place.folders
    fixed = next(training_runs(small_dataset(), small_family(fix_length_g=20), small_training(300), "day"))
    train_runs([fixed], place)
    measure_runs([run_, fixed], Measurement(), folders, CPU)
    of_day = numbers(folders)
    without_checkpoints(place)
    later = [replace(each, name=replace(each.name, date="later")) for each in (run_, fixed)]
    measured = runs_with_results(later, Measurement(), folders)
    assert [date for _, date in measured.values()] == ["day", "day"]
    assert [piece.missing for piece in make_plan(later, folders, CPU, measured)] == [0, 0]
    assert [piece.missing for piece in make_plan(later, folders, CPU)] == [3, 3]
    assert not runs_with_results(later, Measurement(settings=Settings(seed=1)), folders)
    more = small_run(small_family((0, 1, 2, 3)), small_training(300))
    assert not runs_with_results([more], Measurement(), folders)
    with caplog.at_level("INFO", "closedist.paper.reproduce"):
        files = measure_runs(later, Measurement(), folders, CPU)
    assert caplog.messages == ["trainings without models, whose results of another date are taken as they are: 2"]
    for path in files:
        assert json.loads(path.read_text()) == of_day[path.name.replace("later", "day")]
    assert take_over(later, Measurement(), folders) == 0


def test_accuracies_taken_over_stand_beside_those_that_are_measured(trained):
    run_, place = trained
    folders = place.folders
    fixed = next(training_runs(small_dataset(), small_family(fix_length_g=20), small_training(300), "day"))
    train_runs([fixed], place)
    whole = complete_accuracies([run_, fixed], folders, CPU)
    list(measure_distances([run_, fixed], Measurement(), folders, CPU))
    expected = whole.read_bytes()
    exported(run_, place)
    without_checkpoints(place)
    later = [replace(each, name=replace(each.name, date="later")) for each in (run_, fixed)]
    later = [with_family(later[0], folders.representations), later[1]]
    files = measure_runs(later, Measurement(), folders, CPU)
    assert files[0].name.startswith("later")
    assert files[0].read_bytes() == expected


def test_the_commands_export_measure_from_the_file_and_say_what_training_inputs_need(trained, monkeypatch, capsys):
    run_, place = trained
    root = place.folders.checkpoints.parent
    monkeypatch.chdir(root)
    (root / "configs").mkdir()
    configs = write_configs(root / "configs", small_family(), small_training(300))
    exported(run_, place)
    app = make_app("closedist", COMMANDS)
    measure = ["get-distances", "--layer-size=8", "--num-classes=4", "--dist-type=max", *configs]
    assert run(app, ["get-accuracies", "--date-str=day", "--layer-size=9,16", "--num-classes=4", *configs]) == 2
    assert "there of that date: 4 labels: widths 8): give another --num-classes or --layer" in capsys.readouterr().err
    without_checkpoints(place)
    assert run(app, [*measure, "--date-str=day"]) == 0
    assert run(app, [*measure, "--date-str=day", "--use-train"]) == 2
    assert "run train-variations" in capsys.readouterr().err
    assert run(app, [*measure, "--date-str=another"]) == 2
    assert "no trained checkpoints of date another" in capsys.readouterr().err
    accuracies = ["get-accuracies", "--date-str=day", "--layer-size=8", "--num-classes=4", *configs]
    assert run(app, accuracies) == 0
    assert len(numbers(place.folders)) == 2


def test_the_command_exports_the_paper_s_trainings_that_are_whole_and_counts_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = [replace(each, training=small_training(60)) for each in synthetic_runs((4,), (8,), (0,), 2, "day")]
    small = [replace(each, name=each.name.at(60)) for each in small]
    monkeypatch.setattr("closedist.paper.plan.synthetic_runs", lambda *options: small)
    train_runs(small, workplace(tmp_path))
    app = make_app("closedist", COMMANDS)
    for count in (1, 0):
        assert run(app, ["export-representations", "--date-str=day"]) == 0
        assert f"{count} files written" in capsys.readouterr().out
    assert (tmp_path / "representations" / NAME).exists()
