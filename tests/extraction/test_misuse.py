"""What users hand to extract that cannot work: said at once, with the remedy, and nothing wrong left behind."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

import closedist
from closedist.errors import InputError
from closedist.extraction import hugging_face
from closedist.extraction.hugging_face import read_with

LABELS = 4


def mlp() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, LABELS))


def points(count: int = 12) -> Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(1))


EXTRACTIONS: list[Callable[..., Any]] = [closedist.extract, closedist.extract_logits]


@pytest.mark.parametrize("extraction", EXTRACTIONS)
class TestLoaders:
    """DataLoaders as people write them."""

    def test_a_loader_that_does_not_know_its_length_is_read_to_its_end(self, extraction: Callable[..., Any]) -> None:
        class Stream(IterableDataset[Tensor]):
            def __iter__(self) -> Iterator[Tensor]:
                return iter(points())

        member = extraction(mlp(), DataLoader(Stream(), batch_size=5))
        torch.testing.assert_close(member.embeddings, extraction(mlp(), [points()]).embeddings)

    @pytest.mark.parametrize(
        "options",
        [
            {"shuffle": True},
            {"shuffle": True, "batch_size": None},
            {"sampler": SubsetRandomSampler(range(4))},
            {"sampler": WeightedRandomSampler([0.5] * 12, 12)},
            {"batch_sampler": BatchSampler(RandomSampler(range(12)), 4, drop_last=False)},
        ],
        ids=["shuffled", "shuffled without batches", "subset", "weighted", "batch sampler"],
    )
    def test_an_order_that_is_drawn_in_every_pass_is_refused(
        self, extraction: Callable[..., Any], options: dict[str, Any]
    ) -> None:
        loader = DataLoader(TensorDataset(points()), **options)
        with pytest.raises(InputError, match=r"batches: .*a new order in every pass.*shuffle=False"):
            extraction(mlp(), loader)

    def test_a_generator_that_was_just_seeded_gives_every_model_one_order(self, extraction: Callable[..., Any]) -> None:
        def loader() -> DataLoader[Any]:
            drawn = torch.Generator().manual_seed(3)
            return DataLoader(TensorDataset(points()), batch_size=5, shuffle=True, generator=drawn)

        once = loader()
        first, second = extraction(mlp(), once), extraction(mlp(), loader())
        assert torch.equal(first.embeddings, second.embeddings)
        with pytest.raises(InputError, match="a new order in every pass"):
            extraction(mlp(), once)  # its generator has moved on


class Constant(nn.Module):
    """Puts out what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class TestOutputs:
    """What extract_logits makes of an output."""

    def test_whether_outputs_are_probabilities_does_not_depend_on_the_batches(self) -> None:
        logits = torch.tensor([[0.4, 0.6, 0.0], [2.0, 1.0, 5.0], [0.2, 0.2, 0.6]])  # two look like probabilities
        whole = closedist.extract_logits(Constant(), [logits])
        for size in (1, 2):
            assert torch.equal(closedist.extract_logits(Constant(), logits.split(size)).embeddings, whole.embeddings)
        torch.testing.assert_close(whole.embeddings, logits - logits.mean(1, keepdim=True))

    @pytest.mark.parametrize("size", [1, 4])
    def test_probabilities_are_probabilities_in_any_batches(self, size: int) -> None:
        own = points().softmax(-1)
        member = closedist.extract_logits(Constant(), own.split(size))
        torch.testing.assert_close(member.embeddings.softmax(-1), own)

    def test_the_width_of_an_image_is_not_taken_for_labels(self) -> None:
        convolution = nn.Conv2d(1, LABELS, 1)
        images = torch.randn(2, 1, 3, 5)
        with pytest.raises(InputError, match=r"shape \(2, 4, 3, 5\).*movedim\(1, -1\)\.flatten\(1, 2\)"):
            closedist.extract_logits(convolution, [images])

        class LabelsLast(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return convolution(x).movedim(1, -1).flatten(1, 2)

        member = closedist.extract_logits(LabelsLast(), [images])
        assert (member.num_inputs, member.num_labels) == (2 * 3 * 5, LABELS)


class TestHeads:
    """Last layers that are not what extract needs."""

    @pytest.mark.parametrize("head", ["1", None])
    def test_a_convolution_is_refused_with_what_to_do(self, head: str | None) -> None:
        model = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, LABELS, 1))
        model.get_classifier = lambda: model[1]  # type: ignore[assignment]
        with pytest.raises(InputError, match=r"1 is a Conv2d, not Linear.*closedist\.extract_logits"):
            closedist.extract(model, [torch.randn(2, 1, 5, 5)], head=head)

    def test_a_layer_that_takes_no_rows_is_refused_in_words(self) -> None:
        class Three(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                first, second, third = x.split(4)
                return first + second + third

        with pytest.raises(InputError, match=r"head: 0, a Three, is not Linear.*not enough values to unpack"):
            closedist.extract(nn.Sequential(Three()), [points()], head="0")

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    @pytest.mark.parametrize("size", [0.01, 1.0, 30.0])
    def test_a_sigmoid_for_each_label_is_called_what_it_is(self, dtype: torch.dtype, size: float) -> None:
        model = nn.Sequential(mlp(), nn.Sigmoid()).to(dtype)
        with torch.no_grad():
            model[0][2].weight.mul_(size)
        message = r"output is sigmoid\(f·g \+ b\).*a probability for each label by itself.*no distribution over labels"
        with pytest.raises(InputError, match=message) as raised:
            closedist.extract(model, [points().to(dtype)], head="0.2")
        assert "extract_logits" not in str(raised.value)


@pytest.mark.parametrize("dtype", ["float32", torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn, float])
def test_embeddings_are_stored_in_no_type_that_cannot_hold_them(dtype: Any) -> None:
    with pytest.raises(InputError, match=r"dtype: .*; one of torch\.float16, .* is needed"):
        closedist.extract(mlp(), [], dtype=dtype)


@pytest.mark.parametrize("extraction", EXTRACTIONS)
def test_a_model_without_weights_is_refused_by_the_first_that_has_none(extraction: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match=r"model: 0\.weight is on the meta device and has no values"):
        extraction(mlp().to("meta"), [points()])


@dataclass(slots=True)
class Slots:
    """An output without a ``__dict__``."""

    loss: None
    logits: Tensor


class Answering(nn.Module):
    """A classifier that packs its logits in some way."""

    def __init__(self, pack: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.net, self.pack = mlp(), pack

    def forward(self, x: Tensor) -> Any:
        return self.pack(self.net(x))


@pytest.mark.parametrize("extraction", EXTRACTIONS)
class TestPackedOutputs:
    """Outputs that are not a tensor."""

    def test_a_dataclass_with_slots_is_read(self, extraction: Callable[..., Any]) -> None:
        member = extraction(Answering(lambda logits: Slots(None, logits)), [points()])
        assert torch.equal(member.embeddings, extraction(mlp(), [points()]).embeddings)

    @pytest.mark.parametrize(
        ("pack", "what"),
        [
            (lambda logits: {"head": {"logits": logits}}, "dict of dict"),
            (lambda logits: [[logits], [logits]], "list of list"),
            (lambda logits: "cat", "str"),
            (lambda logits: logits.argmax(-1), r"int64 tensor of shape \(12,\)"),
            (lambda logits: logits.mean(), r"float32 tensor of shape \(\)"),
            (lambda logits: (None, logits.argmax(-1)), r"tuple of NoneType, int64 tensor of shape \(12,\)"),
        ],
        ids=["nested dictionary", "nested list", "text", "decisions", "loss", "tuple"],
    )
    def test_others_are_named(self, extraction: Callable[..., Any], pack: Callable[[Tensor], Any], what: str) -> None:
        with pytest.raises(InputError, match=rf"its output could not be read \({what}\); wrap the model"):
            extraction(Answering(pack), [points()])


class TestExported:
    """What torch.export made: eval() is not theirs to call, and there are no layers in it to be looked for."""

    @staticmethod
    def exported() -> Any:
        return torch.export.export(mlp().eval(), (points(),)).module()

    @pytest.mark.parametrize("wrap", [False, True], ids=["itself", "inside another module"])
    def test_its_logits_are_the_models(self, wrap: bool) -> None:
        model = nn.Sequential(self.exported(), nn.Dropout(0.9)) if wrap else self.exported()
        member = closedist.extract_logits(model, [points()])
        expected = closedist.extract_logits(mlp(), [points()])
        torch.testing.assert_close(member.embeddings, expected.embeddings)

    def test_extract_says_that_its_logits_can_be_had(self) -> None:
        with pytest.raises(InputError, match=r"head: .*no Linear layers.*use closedist\.extract_logits"):
            closedist.extract(self.exported(), [points()])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_a_model_whose_layers_pytorch_quantised_is_named_with_the_way_that_works() -> None:
    quantize: Any = torch.ao.quantization.quantize_dynamic
    try:
        model = quantize(mlp().eval(), {nn.Linear}, dtype=torch.qint8)
    except RuntimeError as error:  # a build without a quantised engine
        pytest.skip(str(error))
    with pytest.raises(
        InputError, match=r"its layer 2 is a torch\.ao\.\S*dynamic\S*Linear, .*use closedist\.extract_logits"
    ) as said:
        closedist.extract(model, [points()])
    assert "pass head=" not in str(said.value)
    torch.testing.assert_close(closedist.extract_logits(model, [points()]).num_labels, LABELS)


def test_what_stands_in_another_s_place_is_told_where_it_belongs() -> None:
    model: Any = mlp()
    batches: Any = [points()]
    with pytest.raises(InputError, match=r"model: list; a torch\.nn\.Module is needed, and its batches after it"):
        closedist.extract(batches, model)
    with pytest.raises(InputError, match=r"model p: Sequential; .*which closedist\.extract"):
        closedist.compare(model, model)
    p: Any = closedist.extract(model, batches)
    with pytest.raises(InputError, match=r'models: Representations; .*as in \{"p": p, "q": q\}'):
        closedist.report(p, p)


@pytest.mark.parametrize("name", ["./lost", "models/bass", "runs/7/base", "bass"])
def test_a_model_folder_with_a_slip_is_missed_at_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("models/base", "base"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    asked: list[str] = []
    with pytest.raises(InputError, match=f"there is no folder {name}; give a folder"):
        read_with(asked.append, name, "config")
    assert not asked
    for on_the_hub in ("gpt2", "org/model"):
        read_with(lambda name, **_: asked.append(name), on_the_hub, "config")
    assert asked == ["gpt2", "org/model"]


@pytest.mark.parametrize("proxy", [False, True])
def test_without_a_network_a_name_is_looked_for_in_the_cache_alone(
    proxy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(key, raising=False)
        monkeypatch.delenv(key.upper(), raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "https://no-such-host.invalid")
    if proxy:
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    options: dict[str, object] = {}

    def read(name: str, **given: object) -> None:
        options.update(given)
        raise OSError("not there")

    hugging_face._hub_is_known.cache_clear()
    try:
        with pytest.raises(InputError, match=("cannot read the config of gpt2" if proxy else "hub cannot be reached")):
            read_with(read, "gpt2", "config")
    finally:
        hugging_face._hub_is_known.cache_clear()
    assert options == ({} if proxy else {"local_files_only": True})


@pytest.mark.parametrize("batch", [torch.tensor([1, 9]), {"tokens": torch.tensor([[0, 9]])}])
def test_a_token_that_the_model_does_not_know_is_told_as_a_matter_of_the_batch(batch: Any) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = nn.Embedding(4, 3)
            self.head = nn.Linear(3, 4)

        def forward(self, tokens: Tensor) -> Any:
            return self.head(self.tokens(tokens))

    with pytest.raises(InputError, match=r"batches: the model fails on one of shape \(.*no token larger than"):
        closedist.extract(Model(), [batch])
