"""A mutation run: small faults put into the measures one by one, to see whether a test notices each.

    python -m tests.mutation closedist/measures/llv.py

One process imports torch and collects the tests once. A fork for each mutant replaces the code of functions in memory,
so that no file is touched, and runs the tests that reach the changed lines, quickest first, up to the first that fails.
Hypothesis draws few examples, always the same ones. Every outcome is a line of ``--output``: the same command goes on
where that ends, and with ``--again`` runs once more what survived. docs/reliability.md explains what still does.
"""

import argparse
import ast
import collections
import gc
import importlib
import json
import os
import pickle
import resource
import signal
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch
from _pytest.runner import runtestprotocol

from tests.mutants import Mutant, mutants, mutated

ROOT = Path(__file__).resolve().parents[1]
TESTS = ("tests/test_measures_*.py", "tests/test_compare.py", "tests/test_golden.py")
EXAMPLES = 6  # of hypothesis


def functions(owner: str, values: dict[str, Any]) -> Iterator[tuple[str, types.FunctionType]]:
    """The functions among a module's values and those of its classes, by their qualified names."""
    for name, value in values.items():
        inner = getattr(value, "fget", None) or getattr(value, "__func__", None) or value
        if isinstance(inner, types.FunctionType):
            yield name, inner
        elif isinstance(inner, type) and inner.__module__ == owner:
            yield from ((f"{name}.{its}", function) for its, function in functions(owner, dict(vars(inner))))


def install(module: types.ModuleType, tree: ast.Module) -> None:
    """Give the module's functions and constants the code and values of another version, wherever they were imported."""
    fresh: dict[str, Any] = {"__name__": module.__name__}
    exec(compile(tree, str(module.__file__), "exec"), fresh)
    targets = dict(functions(module.__name__, vars(module)))
    for name, function in functions(module.__name__, fresh):
        if function is not targets[name]:
            target = targets[name]
            target.__code__, target.__defaults__ = function.__code__, function.__defaults__
            target.__kwdefaults__ = function.__kwdefaults__
    for name, before in list(vars(module).items()):
        if type(before) in (int, float, str) and fresh.get(name, before) != before and not name.startswith("__"):
            for user in [m for n, m in sys.modules.items() if n.startswith("closedist")]:
                if getattr(user, name, None) == before:
                    setattr(user, name, fresh[name])


def passes(item: pytest.Item) -> bool:
    return all(report.passed for report in runtestprotocol(item, log=False, nextitem=None))


def in_fork(work: Callable[[], object], seconds: float) -> Any:
    """What ``work`` returns in a fork of this process that has so much CPU time, or None where that was not enough."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        resource.setrlimit(resource.RLIMIT_DATA, (8 << 30, 8 << 30))
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            answer = pickle.dumps(work())
        except BaseException as error:  # the mutant cannot even be put in place
            answer = pickle.dumps(type(error).__name__)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(answer)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return pickle.loads(answer) if answer else None


class Runner:
    """A pytest plugin that runs mutants in place of the collected tests."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Measure what each test reaches, then run every mutant against the tests that reach it."""
        for item in session.items:
            function: Any = getattr(item, "obj", None)
            if own := getattr(function, "_hypothesis_internal_use_settings", None):
                function._hypothesis_internal_use_settings = hypothesis.settings(
                    own, max_examples=min(own.max_examples, EXAMPLES), derandomize=True, database=None,
                    phases=[hypothesis.Phase.generate], suppress_health_check=list(hypothesis.HealthCheck),
                )  # fmt: skip
        paths = [str(path.resolve()) for path in self.arguments.modules]
        reached, seconds = self.baseline(session.items, set(paths))
        gc.collect()
        gc.freeze()  # what a fork never writes to is never copied
        order = sorted((s, i) for i, s in enumerate(seconds) if reached[i])
        print(f"{len(seconds)} tests, {sum(seconds):.0f} s")
        output = self.arguments.output
        rows = [json.loads(text) for text in output.read_text().splitlines()] if output.exists() else []
        done = {tuple(row["key"]) for row in rows if not (self.arguments.again and row["status"] == "survived")}
        for path in paths:
            self.run(path, session.items, [(s, i, reached[i].get(path, set())) for s, i in order], done)
        return True

    @staticmethod
    def baseline(items: list[pytest.Item], paths: set[str]) -> tuple[list[dict[str, set[int]]], list[float]]:
        """The lines of each file that each test reaches, and how long it takes."""
        reached: list[dict[str, set[int]]] = []
        seconds = []
        for item in items:
            lines: dict[str, set[int]] = {}

            def trace(frame: types.FrameType, event: str, _: object, lines: dict[str, set[int]] = lines) -> Any:
                if frame.f_code.co_filename not in paths:
                    return None
                if event == "line":
                    lines.setdefault(frame.f_code.co_filename, set()).add(frame.f_lineno)
                return trace

            start = time.process_time()
            assert passes(item), f"{item.nodeid} fails without any mutant"
            seconds.append(time.process_time() - start)
            sys.settrace(trace)
            passes(item)
            sys.settrace(None)
            reached.append(lines)
        return reached, seconds

    def run(
        self, path: str, items: list[pytest.Item], tests: list[tuple[float, int, set[int]]], done: set[Any]
    ) -> None:
        """All mutants of a file."""
        source = Path(path).read_text()
        name = str(Path(path).relative_to(ROOT))
        module = importlib.import_module(name.removesuffix(".py").replace("/", "."))
        chosen = mutants(source)
        counts: collections.Counter[str] = collections.Counter()
        for mutant in chosen:
            text = source.splitlines()[mutant.line - 1].strip()
            key = (name, mutant.node, mutant.change, mutant.what, text)
            if key in done:
                continue
            some = [(s, i) for s, i, lines in tests if not mutant.lines or lines.intersection(mutant.lines)]

            def killer(mutant: Mutant = mutant, some: list[tuple[float, int]] = some) -> str:
                install(module, mutated(source, mutant))
                return next((items[i].nodeid for _, i in some if not passes(items[i])), "")

            found = in_fork(killer, 10 + 3 * sum(s for s, _ in some))
            status = "timeout" if found is None else "killed" if found else "survived"
            counts[status] += 1
            row = {"key": key, "line": mutant.line, "status": status, "by": found, "tests": len(some)}
            with self.arguments.output.open("a") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            if status == "survived":
                print(f"{name}:{mutant.line}: {mutant.what}    {text}", flush=True)
        print(f"{name}: {len(chosen)} mutants, {dict(counts)}", flush=True)


def main() -> None:
    """Parse the command line, collect the tests and hand over to the runner."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="+", type=Path, help="files of closedist/measures")
    parser.add_argument("--tests", nargs="+", default=TESTS, help="patterns of test files")
    parser.add_argument("--output", type=Path, default=Path("build/mutants.jsonl"), help="one line for each mutant")
    parser.add_argument("--again", action="store_true", help="run what survived once more")
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    files = sorted(str(path) for pattern in arguments.tests for path in ROOT.glob(pattern))
    sys.exit(
        pytest.main(
            [*files, "-q", "-p", "no:cacheprovider", "-s", "-m", "not slow", "--assert=plain", "--tb=native"],
            plugins=[Runner(arguments)],
        )
    )


if __name__ == "__main__":
    main()
