"""Pages of small models for the tests, and what a page holds."""

import base64
import json
import re

import numpy as np

from closedist import Representations, report

N, C = 300, 5
NAMES = ["<script>window.hacked = 1</script>", "x" * 10_000, "\u202eתאומים", 'quote" & <b>bold</b>', "plain"]
LABELS = ["<img src=x onerror='window.hacked = 1'>", "bird", "cat", "deer", "dog"]


def small_models(count=5, dimension=2, seed=0):
    """Models ever farther from the first, the last one a linear copy of it."""
    rng = np.random.default_rng(seed)
    f, g = rng.normal(size=(N, dimension)), 2 * rng.normal(size=(C, dimension))
    models = [(f + 0.3 * i * rng.normal(size=f.shape), g + 0.1 * i * rng.normal(size=g.shape)) for i in range(count)]
    linear = rng.normal(size=(dimension, dimension)) + 2 * np.eye(dimension)
    models[-1] = f @ linear + 1.0, g @ np.linalg.inv(linear).T
    return [Representations(f, g, label_names=LABELS) for f, g in models]


def crowded(seed=0):
    """Twenty models ever farther from one, and six others."""
    rng = np.random.default_rng(seed)
    views = [rng.normal(size=(N, 2)) for _ in range(7)]
    g = 2 * rng.normal(size=(C, 2))
    near = [views[0] + 0.02 * i * rng.normal(size=(N, 2)) for i in range(20)]
    return [Representations(f, g) for f in (*near, *views[1:])]


def content_of(path):
    """The data that a page holds."""
    return json.loads(re.search(r'id="data">(.*?)</script>', path.read_text(), re.DOTALL)[1])


def unpack(packed):
    """An array from what ``packed`` made."""
    kinds = {"float32": "<f4", "uint16": "<u2", "uint32": "<u4"}
    return np.frombuffer(base64.b64decode(packed["bytes"]), kinds[packed["kind"]]).reshape(packed["shape"])


def coordinates(points):
    """Coordinates from what ``points`` made."""
    low, high = np.array(points["low"]), np.array(points["high"])
    return low + unpack(points["steps"]) / 65535 * (high - low)


def written(path, models=None, **options):
    """The page of some models, written, and its path."""
    report(small_models() if models is None else models, path, **options)
    return path
