"""State dicts of the second paper's code are read by their names and keys, and refused where they are not such."""

import pytest
import torch
from torch import nn

from closedist import InputError
from closedist.paper.data.spirals import spiral_splits
from closedist.paper.distillation.published import published_representations

NAME = "synthetic-standard-kldistill-mlp-tseed400-epoch249-seed40.pt"


class Published(nn.Module):
    """The published classifier: hidden layers with ReLU and dropout, a bias-free head."""

    def __init__(self, inputs=2, width=16, hidden=3, dimension=2):
        super().__init__()
        layers = []
        for index in range(hidden):
            layers += [nn.Linear(inputs if not index else width, width), nn.ReLU(), nn.Dropout(0.1)]
        self.encoder = nn.Sequential(*layers, nn.Linear(width, dimension))
        self.linear = nn.Linear(dimension, 7, bias=False)


def test_a_published_model_gives_its_own_embeddings(tmp_path):
    torch.manual_seed(0)
    model = Published().eval()
    torch.save(model.state_dict(), tmp_path / NAME)
    found = published_representations(tmp_path / NAME)
    test, _ = spiral_splits(400).test
    torch.testing.assert_close(found.embeddings.float(), model.encoder(test).detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.unembeddings.float(), model.linear.weight.detach())


@pytest.mark.parametrize(
    ("name", "state", "said"),
    [
        (NAME, {"linear.weight": torch.zeros(7, 2)}, "no encoder of linear layers"),
        (NAME, {"encoder.0.weight": torch.zeros(2, 2), "encoder.0.bias": torch.zeros(2)}, "no linear.weight"),
        (NAME, [1, 2], "no encoder"),
        (NAME, Published(inputs=5).state_dict(), "takes 5 numbers an input"),
        ("model.pt", {}, "no name of a distilled model"),
        ("cifar100-standard-classifier-resnet50-50-epoch9-seed0.pt", {}, "spirals and SUB are"),
    ],
)
def test_what_is_no_published_model_is_refused(tmp_path, name, state, said):
    torch.save(state, tmp_path / name)
    with pytest.raises(InputError, match=said):
        published_representations(tmp_path / name)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / NAME).write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a state dict"):
        published_representations(tmp_path / NAME)
