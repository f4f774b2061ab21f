"""Losses that carry a teacher's distribution into a student, for training loops of one's own."""

import torch
from torch import Tensor

from closedist.errors import InputError

KINDS = ("kl", "l1", "l2", "l1-raw", "l2-raw")


def distillation_loss(student_logits: Tensor, teacher_logits: Tensor, kind: str, temperature: float = 1.0) -> Tensor:
    """How far a student's logits are from its teacher's on a batch; differentiable in the student's.

    - ``"kl"``: the batch mean of KL(teacher‖student) at the temperature T, times T², which keeps the gradients' size.
    - ``"l1"``: the mean over batch and labels of |Δ|; ``"l2"``: the batch mean of Σ_y Δ², which is d_logit². Δ is the
      difference of the logits, each centred over the labels: the constant that no distribution shows pulls on nothing.
    - ``"l1-raw"``, ``"l2-raw"``: the same of the logits as they are, as the paper's code has them.

    KL lets the logits of unlikely labels drift, and with them the embeddings; l1 and l2 do not.

    Args:
        student_logits, teacher_logits: (B, C) float tensors.
        kind: one of the five.
        temperature: T > 0; all kinds see the logits divided by it, and are multiplied by T² (T for l1) again.

    Returns:
        A scalar, in nats for "kl", in (squared) logits otherwise.

    Raises:
        InputError: the shapes differ, or the kind or the temperature is none.

    Source: Nielsen et al. (2026, arXiv 2602.15438); Hinton et al. (2015) for the temperature.

    Examples:
        >>> import torch, closedist
        >>> teacher = torch.tensor([[2.0, 0.0, -2.0]])
        >>> student = torch.tensor([[1.0, 0.0, -1.0]], requires_grad=True)
        >>> loss = closedist.distillation_loss(student, teacher, "l2")
        >>> loss.backward()
        >>> loss.item(), student.grad.tolist()
        (2.0, [[-2.0, 0.0, 2.0]])
    """
    if student_logits.shape != teacher_logits.shape or student_logits.ndim != 2:
        raise InputError(
            f"student_logits and teacher_logits: shapes {tuple(student_logits.shape)} and "
            f"{tuple(teacher_logits.shape)}; both must be (batch, labels)"
        )
    if student_logits.shape[1] < 2 or not len(student_logits):
        raise InputError(
            f"student_logits: shape {tuple(student_logits.shape)}; at least one input and two labels are needed (for "
            "one logit z an input pass torch.cat([0 * z, z], -1))"
        )
    if kind not in KINDS:
        raise InputError(f"kind: {kind!r}; it is one of {', '.join(map(repr, KINDS))}")
    if not temperature > 0:
        raise InputError(f"temperature: {temperature}; a number above 0 is needed")
    if kind == "kl":
        student, teacher = (torch.log_softmax(part / temperature, -1) for part in (student_logits, teacher_logits))
        divergence = torch.nn.functional.kl_div(student, teacher, reduction="batchmean", log_target=True)
        return temperature**2 * divergence
    delta = student_logits - teacher_logits  # a temperature would divide it and multiply the loss: no change
    if not kind.endswith("-raw"):
        delta = delta - delta.mean(-1, keepdim=True)
    return delta.abs().mean() if kind.startswith("l1") else delta.square().sum(-1).mean()
