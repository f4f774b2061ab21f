"""The command line: options and messages only. A command's module is loaded when the command runs."""

import gc
import logging
import shutil
import sys
from collections.abc import Iterable
from textwrap import fill

from cyclopts import App, CycloptsError, Group, MissingArgumentError, Parameter, UnusedCliTokensError

import closedist
from closedist.cli.paper_options import check_whole_numbers, without_unused_options
from closedist.cli.surroundings import make_fit
from closedist.cli.wording import in_options, missing
from closedist.errors import InputError, brief, printable

COMMANDS = {
    "quickstart": "Train a small sweep, measure it and draw it: the first five minutes.",
    "reproduce": "Run the paper's experiments, from nothing to figures.",
    "compare": "Compare models by their saved representations.",
    "explain": "Say where two models differ: which labels, which inputs, which directions.",
    "draw": "Draw models as a picture for print: heat map, map, dendrogram, a pair, its labels.",
    "report": "Write a page to look at: many models, every pair, and where two of them differ.",
    "extract": "Write a language model's representations on texts.",
    "compare-models": "Compare language models on texts: two of them, or one with its copies (--text).",
    "layers": "Compare every layer of a language model with every other, or with those of another.",
    "distil": "Train teachers and students that learn from them, and say what the students keep.",
    "train-variations": "Train every seed of a family of models.",
    "get-distances": "Measure all pairs of seeds.",
    "get-accuracies": "Measure every model's accuracy.",
    "cal-mcca": "Measure m_CCA between CIFAR-10 models.",
    "make-plot": "Draw one of the paper's figures.",
    "export-representations": "Write trained models' test representations, a file for all seeds of a training.",
}
OWN = ("compare", "explain", "draw", "report", "extract", "compare-models", "layers")
PAPER_COMMANDS = ("train-variations", "get-distances", "get-accuracies", "cal-mcca", "make-plot")
# what goes on where it was, run again; compare-models where it keeps what it has read
GOES_ON = ("quickstart", "reproduce", "extract", "distil", "train-variations", "export-representations")
USER_ERROR = 2
UNFORESEEN = 70  # of sysexits.h; 1 is what compare --check says of models that are not the same
USAGE = {  # where what is made from the parameters would hide the models
    "layers": "MODEL [OTHER] --text PATH...",
    "compare-models": "MODEL OTHER... [--text] TEXT...",
}
STOPPED = 130  # what a shell reports for a program that Ctrl-C ended

log = logging.getLogger(__name__)


def make_app(name: str, commands: Iterable[str]) -> App:
    """The command line with the given commands."""
    app = App(
        name=name,
        help="Are two trained models really the same? Distances between their distributions and representations.",
        version=closedist.__version__,
        version_flags=["--version"],
        help_format="markdown",
        default_parameter=Parameter(negative=(), show_default=_shown),
        suppress_keyboard_interrupt=False,  # run() says how to go on
    )
    own, papers = Group("Your own models", sort_key=0), Group("The papers' experiments", sort_key=1)
    for position, command in enumerate(commands):
        group = own if command in OWN else papers
        usage = f"Usage: {name} {command} {USAGE[command]} [OPTIONS]" if command in USAGE else None
        app.command(_place(command), name=command, help=COMMANDS[command], sort_key=position, group=group, usage=usage)
    return app


def _shown(default: object) -> str | None:
    """A default as help shows it; what is off or empty unless given needs no word."""
    return None if default is None or default is False or default == "" else str(default)


def _place(command: str) -> str:
    """Where a command's function is, as ``module:function``; the module is imported when the command runs."""
    modules = {
        "train-variations": "train",
        "get-distances": "measure",
        "get-accuracies": "measure",
        "cal-mcca": "measure",
        "make-plot": "plot",
        "export-representations": "export",
        "extract": "language_models",
        "compare-models": "language_models",
    }
    module = modules.get(command, command)
    return f"closedist.cli.{module}:{command.replace('-', '_')}"


def main() -> None:
    """The installed command ``closedist``."""
    _run_to_the_end("closedist", COMMANDS)


def paper_main() -> None:
    """``python run.py``: the paper's commands letter for letter."""
    _run_to_the_end("run.py", PAPER_COMMANDS)


def _run_to_the_end(name: str, commands: Iterable[str]) -> None:
    make_fit()
    if sys.argv[1:2] == ["make-plot"]:
        gc.disable()  # figures last until they are saved: to search them for cycles is a sixth of the time
    code = run(make_app(name, commands), sys.argv[1:])
    gc.freeze()  # the process ends: what it leaves is not searched for cycles, which takes a second after many figures
    sys.exit(code)


def run(app: App, tokens: list[str]) -> int:
    """Run one command line and return its exit code: 2 and one line on standard error for a user's mistake.

    What nobody foresaw is one line too, with exit code 70.
    """
    try:
        if tokens and tokens[0] in PAPER_COMMANDS:
            tokens, ignored = without_unused_options(app, tokens)
            if ignored:
                print(f"{tokens[0]} does not use {', '.join(ignored)}", file=sys.stderr)
        if tokens and tokens[0] in COMMANDS and tokens[0] in app:
            app[tokens[0]].help = None  # its own docstring, in place of the line in the list of commands
            check_whole_numbers(app, tokens)
        result = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        return result if isinstance(result, int) else 0
    except KeyboardInterrupt as stop:
        return _stop(tokens, str(stop))
    except InputError as error:
        return _fail(in_options(str(error), _options(app, tokens)))
    except MissingArgumentError as error:
        return _fail(missing(error))
    except UnusedCliTokensError as error:
        said = " ".join(map(str, error.unused_tokens or ()))
        return _fail(f"{tokens[0]} has no place for {said}; closedist {tokens[0]} --help shows what it takes")
    except CycloptsError as error:
        return _fail(" ".join(str(error).split()))
    except BrokenPipeError:
        return STOPPED
    except Exception as error:  # of a library below, about something that we did not think of
        if isinstance(error, ImportError) and isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
            return _stop(tokens)  # Ctrl-C as a C library was loaded
        log.debug("where it happened", exc_info=error)
        _fail(f"{type(error).__name__}: {brief(error)}; we did not foresee this, --log=debug shows where it happened")
        return UNFORESEEN
    finally:
        logging.shutdown()


def _options(app: App, tokens: list[str]) -> list[str]:
    """The options of the command that a command line names."""
    if not tokens or tokens[0] not in COMMANDS or tokens[0] not in app:
        return []
    return [name for argument in app[tokens[0]].assemble_argument_collection() for name in argument.names]


def _stop(tokens: list[str], said: str = "") -> int:
    kept = any(token.partition("=")[0] == "--folder" for token in tokens) and tokens[0] == "compare-models"
    again = "; run the same command again to go on" if said or kept or (tokens and tokens[0] in GOES_ON) else ""
    print(f"{said or 'stopped'}{again}", file=sys.stderr)
    return STOPPED


def _fail(message: str) -> int:
    line = f"closedist: {printable(message)}"
    if sys.stderr.isatty():  # what reads a pipe has one line
        columns = shutil.get_terminal_size().columns
        line = fill(line, columns, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    print(line, file=sys.stderr)
    return USER_ERROR
