"""Classifiers of scikit-learn as Representations; what a model is, its own attributes say: nothing is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from closedist.errors import InputError
from closedist.extraction.input_digests import array_digests
from closedist.representations import Representations
from closedist.representations.names import Names

Array = NDArray[Any]

_APART = 1e-4  # between two probabilities, above what float32 leaves of them
_DENSE_ROWS = 256  # of a sparse matrix at once
_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda z: z,
    "logistic": lambda z: np.exp(-np.logaddexp(0, -z)),
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
}


def from_sklearn(
    model: Any, X: Any, input_ids: Names | None = None, label_names: Names | None = None
) -> Representations:
    """A fitted linear classifier or MLPClassifier of scikit-learn, on the inputs X.

    f(x) is what enters the last linear layer: an MLP's last hidden layer, a linear classifier's features, and in a
    pipeline those that its last step sees. Two classes have one score z, which is the logits [0, z]. Before anything is
    returned, softmax(f·g + b) is compared with the model's own ``predict_proba(X)``.

    Args:
        model: LogisticRegression, LinearDiscriminantAnalysis, MLPClassifier or another whose probabilities are the
            softmax of linear scores; alone, as the last step of a pipeline, or found by a search.
        X: (N, features) as the model takes it; fingerprints of its rows are kept, so that a comparison refuses models
            that saw others, or the same in another order.
        input_ids: names of the inputs.
        label_names: of the classes, in the order of ``model.classes_``, which are the names by default.

    Returns:
        Representations whose label names are ``model.classes_``, or those given.

    Raises:
        InputError: the model is not fitted, is of another kind, or its probabilities are no softmax of its scores; the
            message says what to do.

    Examples:
        >>> import closedist
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> X, y = load_iris(return_X_y=True)
        >>> p, q = (closedist.from_sklearn(LogisticRegression(C=c, max_iter=500).fit(X, y), X) for c in (1, 0.1))
        >>> round(closedist.compare(p, q).kl, 2)
        0.09
    """
    wanted, shape = getattr(model, "n_features_in_", None), getattr(X, "shape", None)
    if wanted is not None and shape is not None and (len(shape) != 2 or shape[1] != wanted):
        raise InputError(
            f"X: shape {tuple(shape)}; a row an input, of the {wanted} features that the model was fitted on"
        )
    last, features = _last_step(getattr(model, "best_estimator_", model), X)
    kind = type(last).__name__
    black_box = (
        "from_logits(np.log(model.predict_proba(X).clip(1e-6))) of closedist.Representations makes a black box of it"
    )
    if not hasattr(last, "classes_"):
        raise InputError(f"model: {kind} is no fitted classifier (it has no classes_); fit it first")
    if hasattr(last, "coefs_"):
        features, rows, bias = _of_mlp(last, features)
    elif hasattr(last, "coef_") and hasattr(last, "intercept_"):
        rows = _dense(last.coef_)
        bias = np.broadcast_to(last.intercept_, len(rows))
    else:
        raise InputError(f"model: {kind} is neither a linear classifier nor an MLPClassifier; {black_box}")
    if not hasattr(last, "predict_proba"):
        raise InputError(
            f"model: {kind} gives scores and no probabilities; where the softmax of its scores is meant, pass "
            "closedist.Representations(X, model.coef_, bias=model.intercept_), for two classes np.vstack([0 * coef_, "
            "coef_]) and [0, intercept_]"
        )
    if len(rows) == 1:
        rows, bias = np.vstack([0 * rows, rows]), np.append([0], bias)
    if len(rows) != len(last.classes_):
        raise InputError(f"model: {kind} decides on {len(rows)} labels one by one, which is no distribution over them")
    names: Any = label_names
    if names is None:
        names = last.classes_ if last.classes_.dtype.kind in "iuUO" else last.classes_.astype(str)
    made = Representations(features, rows, bias, input_ids, names, input_digests=_digests(X))
    scores = torch.from_numpy(features.astype(np.float64) @ rows.T + bias)
    apart = float(np.abs(scores.softmax(-1).numpy() - model.predict_proba(X)).max())
    if not apart < _APART:
        raise InputError(
            f"model: the probabilities of {kind} are not the softmax of its scores but up to {apart:.2g} away, as "
            f"those of one-against-the-rest models are; {black_box}"
        )
    return made


def _last_step(model: Any, X: Any) -> tuple[Any, Array]:
    """The model itself and its inputs, or a pipeline's last step and what enters it."""
    if hasattr(model, "named_steps") and hasattr(model[-1], "classes_"):
        return _last_step(model[-1], model[:-1].transform(X)) if len(model) > 1 else _last_step(model[-1], X)
    return model, _dense(X)


def _dense(array: Any) -> Array:
    """Numbers of a data frame, a sparse matrix or an array."""
    return np.asarray(array.toarray() if hasattr(array, "toarray") else array)


def _digests(X: Any) -> list[int]:
    """Fingerprints of the rows; of a sparse matrix some at a time, since a pipeline may never make it dense."""
    if not hasattr(X, "toarray"):
        return array_digests(_dense(X))
    rows = X.tocsr()
    starts = range(0, rows.shape[0], _DENSE_ROWS)
    return [one for start in starts for one in array_digests(rows[start : start + _DENSE_ROWS].toarray())]


def _of_mlp(model: Any, features: Array) -> tuple[Array, Array, Array]:
    """What enters the last layer of an MLP, and this layer's rows and biases."""
    activation = _ACTIVATIONS[model.activation]
    for weight, bias in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        features = activation(features @ weight + bias)
    return features, model.coefs_[-1].T, model.intercepts_[-1]
