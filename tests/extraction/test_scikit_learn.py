"""Classifiers of scikit-learn are the members that their own probabilities say."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import coo_matrix
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import closedist
from closedist import InputError

X = np.random.default_rng(0).normal(size=(120, 4))
SCORES = X @ np.random.default_rng(1).normal(size=(4, 3)) + np.random.default_rng(2).gumbel(size=(120, 3))
THREE = np.array(["ant", "bee", "cat"])[SCORES.argmax(1)]
TWO = SCORES[:, 0] > SCORES[:, 1]


def mlp(**options: Any) -> MLPClassifier:
    return MLPClassifier(random_state=0, max_iter=30, **options)


MODELS = [
    LogisticRegression(),
    LogisticRegression(fit_intercept=False),
    LinearDiscriminantAnalysis(),
    make_pipeline(StandardScaler(), LogisticRegression()),
    make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), LogisticRegression())),
    make_pipeline(LogisticRegression()),
    GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1]}, cv=2),
    *(mlp(activation=name) for name in ("identity", "logistic", "tanh", "relu")),
    mlp(hidden_layer_sizes=(7, 5, 3)),
    make_pipeline(StandardScaler(), mlp()),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("labels", [THREE, TWO, TWO.astype(float)], ids=["three", "two", "two floats"])
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_classifier_is_the_member_with_its_probabilities(model: Any, labels: np.ndarray) -> None:
    fitted = model.fit(X, labels)
    p = closedist.from_sklearn(fitted, X, input_ids=range(120))
    scores = p.embeddings @ p.unembeddings.T + p.bias
    np.testing.assert_allclose(scores.softmax(-1).numpy(), fitted.predict_proba(X), rtol=1e-9, atol=1e-15)
    assert p.label_names is not None
    assert p.label_names.tolist() == [str(one) for one in np.unique(labels)]
    if len(p.label_names) == 2:
        assert not p.unembeddings[0].any()
        assert p.bias is not None
        assert p.bias[0] == 0


def test_what_enters_the_last_layer_is_the_embedding() -> None:
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, THREE)
    p = closedist.from_sklearn(fitted, X)
    assert torch.equal(p.embeddings, torch.from_numpy(fitted[0].transform(X)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        q = closedist.from_sklearn(mlp(hidden_layer_sizes=(6, 5)).fit(X, THREE), X)
    assert q.dimension == 5
    assert closedist.compare(p, q).kl > 0


def test_sparse_matrices_data_frames_and_single_precision_are_taken() -> None:
    from scipy.sparse import csr_matrix

    pandas = pytest.importorskip("pandas")
    fitted = LogisticRegression().fit(X, THREE)
    p = closedist.from_sklearn(fitted, X)
    assert torch.equal(closedist.from_sklearn(fitted, csr_matrix(X)).embeddings, p.embeddings)
    assert torch.equal(closedist.from_sklearn(fitted.sparsify(), X).unembeddings, p.unembeddings)
    frame = pandas.DataFrame(X, columns=list("abcd"))
    assert torch.equal(closedist.from_sklearn(LogisticRegression().fit(frame, THREE), frame).embeddings, p.embeddings)
    single = X.astype(np.float32)
    assert closedist.from_sklearn(LogisticRegression().fit(single, THREE), single).embeddings.dtype == torch.float32


@pytest.mark.parametrize(
    ("model", "labels", "words"),
    [
        (RandomForestClassifier(5), THREE, r"neither a linear .*from_logits\(np\.log\(model\.predict_proba\(X\)"),
        (QuadraticDiscriminantAnalysis(), THREE, "neither a linear"),
        (
            LinearSVC(),
            THREE,
            r"scores and no probabilities.*Representations\(X, model\.coef_, bias=model\.intercept_\)",
        ),
        (RidgeClassifier(), TWO, "scores and no probabilities"),
        (SGDClassifier(loss="log_loss"), THREE, "not the softmax of its scores but up to 0"),
        (OneVsRestClassifier(LogisticRegression()), THREE, "neither a linear"),
        (mlp(), np.stack([TWO, ~TWO, TWO], 1), "decides on 3 labels one by one|not the softmax"),
        (mlp(), np.stack([TWO, X[:, 0] > 0, X[:, 1] > 0], 1), "decides on 3 labels one by one|not the softmax"),
        (LinearRegression(), TWO.astype(float), "no fitted classifier"),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_another_kind_of_model_is_refused_with_what_to_do(model: Any, labels: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        closedist.from_sklearn(model.fit(X, labels), X)


def test_a_model_that_is_not_fitted() -> None:
    for model in (LogisticRegression(), mlp(), make_pipeline(StandardScaler(), LogisticRegression())):
        with pytest.raises(InputError, match="fit it first"):
            closedist.from_sklearn(model, X)


def test_the_black_box_that_is_advised_works() -> None:
    p = closedist.from_sklearn(LogisticRegression().fit(X, THREE), X)
    sgd = SGDClassifier(loss="log_loss").fit(X, THREE)
    assert closedist.kl_divergence(p, closedist.Representations.from_logits(sgd.predict_log_proba(X).clip(-50))) > 0


def test_the_same_inputs_in_another_order_are_refused() -> None:
    X, y = load_digits(return_X_y=True)
    model = LogisticRegression(max_iter=30).fit(X, y)
    p, shuffled = closedist.from_sklearn(model, X), closedist.from_sklearn(model, X[::-1])
    with pytest.raises(InputError, match="the same inputs in another order"):
        closedist.compare(p, shuffled)
    assert closedist.compare(p, closedist.from_sklearn(model, X)).same_top_label == 1
    assert closedist.compare(p, shuffled, same_inputs=True).same_top_label < 0.5  # type: ignore[operator]
    batches = [torch.from_numpy(part) for part in np.array_split(X, 7)]
    network = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(64, 10).double())
    assert np.array_equal(p.input_digests, closedist.extract(network, batches).input_digests)  # type: ignore[arg-type]


def test_texts_have_fingerprints_too() -> None:
    texts = np.array(["a b", "b c c", "c d", "a a d"] * 10)
    model = make_pipeline(CountVectorizer(token_pattern=r"\w"), LogisticRegression()).fit(texts, [0, 1, 2, 0] * 10)
    with pytest.raises(InputError, match="another order"):
        closedist.compare(closedist.from_sklearn(model, texts), closedist.from_sklearn(model, texts[::-1]))


@pytest.mark.parametrize("columns", [np.s_[:, :10], np.s_[0]])
def test_inputs_of_another_width_are_told_in_the_words_of_the_model(columns: Any) -> None:
    X, y = load_digits(return_X_y=True)
    with pytest.raises(InputError, match="of the 64 features that the model was fitted on"):
        closedist.from_sklearn(LogisticRegression(max_iter=30).fit(X, y), X[columns])


def test_classes_can_be_named() -> None:
    X, y = load_digits(return_X_y=True)
    named = closedist.from_sklearn(LogisticRegression(max_iter=30).fit(X, y), X, label_names=list("abcdefghij"))
    assert named.label_names is not None
    assert named.label_names.tolist() == list("abcdefghij")


def test_a_sparse_matrix_has_the_fingerprints_of_the_dense_one() -> None:
    X, y = load_digits(return_X_y=True)
    model = LogisticRegression(max_iter=30).fit(X, y)
    dense, sparse = (closedist.from_sklearn(model, kind(X)) for kind in (np.asarray, coo_matrix))
    assert np.array_equal(dense.input_digests, sparse.input_digests)  # type: ignore[arg-type]
