"""The command distil: teachers, and students that learn from them under several losses."""

from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from closedist.cli.options import DATA, DEFAULTS, Common, Count, Cuda, DataFolder, Layers, device
from closedist.errors import InputError


def distil(
    *,
    data: Literal["spirals", "spirals-interpolation", "spirals-extrapolation", "digits", "cifar10", "cifar100", "sub"],
    teachers: Count = 5,
    students: Count = 5,
    loss: str = "kl,l1,l2",
    widths: Layers = (),
    dimension: Count | None = None,
    epochs: Count | None = None,
    evaluate_every: Count | None = None,
    keep: Layers = (),
    temperature: Annotated[float, Parameter(validator=Number(gt=0))] = 1.0,
    label_share: Annotated[float, Parameter(validator=Number(gte=0, lt=1))] = 0.0,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    cuda: Cuda = False,
    data_folder: DataFolder = DATA,
    common: Common = DEFAULTS,
) -> None:
    """Train teachers, then students of each of them under every loss, and score students beside their teacher.

    Stopped with Ctrl-C and run again, it goes on where it was. Needs closedist[experiments].

    Args:
        data: The second paper's spirals, or these but for a ring of radii 4 to 7 (interpolation), or a ring of 3 to 7
            alone (extrapolation), scored outside too; handwritten digits in four rotations, of which students see the
            digit only; CIFAR-10 (hours); CIFAR-100 (torchvision and a GPU) or SUB, whose files it asks for.
        teachers: How many.
        students: How many each teacher has, under each loss.
        loss: Some of kl, l1, l2 (logits centred over the labels), l1-raw and l2-raw (the paper's), as in kl,l2; and
            labels, the baseline: students that learn from the labels and never see their teacher.
        dimension: The dimension of the students' embeddings. Default: the teachers'.
        widths: The widths of the hidden layers, as in 64,64,64. Default: the set-up's.
        epochs: How many epochs teachers and students have. Default: the set-up's.
        evaluate_every: How many epochs lie between two evaluations of students. Default: the set-up's.
        keep: After how many epochs students' weights are kept too, as in 10,20,30; evaluations of theirs.
        temperature: The temperature of the distillation.
        label_share: α, where the loss is (1 − α)·distillation + α·cross-entropy with the labels.
        output: The folder to which everything is written.
    """
    common.set_up()
    from closedist.measures.distillation import KINDS
    from closedist.paper.distillation.experiment import run
    from closedist.paper.distillation.plan import (
        LABELS,
        Distillation,
        epochs_in_all,
        with_epochs,
        with_evaluations,
        with_widths,
    )
    from closedist.paper.distillation.setups import SET_UPS
    from closedist.paper.results.archive import open_results
    from closedist.paper.results.matched import at_one_kl
    from closedist.paper.results.student_metrics import read_metrics
    from closedist.paper.results.student_tables import as_text, at_this_kl, last_epoch
    from closedist.system.progress import progress

    on, kinds = device(cuda), tuple(loss.split(","))
    for kind in kinds:
        if kind not in (*KINDS, LABELS):
            raise InputError(
                f"--loss: {kind[:40]!r} is none of {', '.join((*KINDS, LABELS))}; write it as --loss=kl,l2"
            )
    if len(set(kinds)) < len(kinds):
        raise InputError(f"--loss: {loss!r} names a loss twice; leave one out")
    if output.exists() and not output.is_dir():
        raise InputError(f"--output: {output} is a file; give a folder, which is written to")
    set_up = replace(with_epochs(SET_UPS[data], epochs, epochs), student_dimension=dimension)
    if widths:
        set_up = with_widths(set_up, widths)
    if evaluate_every:
        set_up = with_evaluations(set_up, evaluate_every)
    schedule = set_up.student_schedule
    for kept in keep:
        if kept > schedule.epochs or not schedule.evaluated(kept - 1):
            raise InputError(f"--keep: no evaluation after {kept} epochs; they are every {schedule.evaluate_every}")
    plan = Distillation(set_up, teachers, students, kinds, temperature, label_share, keep)
    with progress("training", epochs_in_all(plan)) as advance:
        files = run(plan, output, data_folder, advance, on)
    said = f"{len(files)} students; weights, test representations and scores of every epoch evaluated are in {output}"
    print(fill(said, 80), end="\n\n")
    written = {path.name for path in files}
    trained = [one for one in read_metrics(open_results(output)) if f"metrics-{one.name.text}.json" in written]
    print(as_text(last_epoch(trained, kinds)))
    distilled = [kind for kind in kinds if kind != LABELS]
    if len(distilled) > 1:
        print(as_text(at_this_kl(at_one_kl(trained, distilled))))
    few = "" if min(teachers, students) > 2 else "; of so few they are wide"
    note = f"Test inputs, each teacher's coordinates; in brackets 95 % over teachers and students drawn at random{few}"
    print(fill(note, 80))
