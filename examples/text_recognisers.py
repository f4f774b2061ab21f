"""Two generations of a text recogniser, PP-OCRv4 and PP-OCRv6, as rapidocr ships them, on the same drawn characters.

Both read a picture from left to right and give, every eight pixels, probabilities of thousands of characters and of
none. They are black boxes here: what counts is which character they see, wherever they see it, so a picture's
probability of a character is the largest over the positions, and the characters' sum is 1. Compared are the characters
that both think likeliest among all that both know. Inputs are the printable characters of ASCII in eight typefaces;
intervals leave out characters whole. Prints the numbers of docs/real-models.md. A minute on one core.

    pip install rapidocr_onnxruntime rapidocr onnxruntime
    python examples/text_recognisers.py [LABELS]
"""

import string
import sys
from importlib.util import find_spec
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import closedist

MODELS = {
    "v4": ("rapidocr_onnxruntime", "ch_PP-OCRv4_rec_infer.onnx"),
    "v6": ("rapidocr", "PP-OCRv6_rec_small.onnx"),
}
CHARACTERS = string.digits + string.ascii_letters + string.punctuation
FACES = ("Sans", "Sans-Bold", "Sans-Oblique", "SansMono", "SansMono-Bold", "Serif", "Serif-Bold", "Serif-Italic")
SUBSET = 16  # labels of a subset: one of all but two would have more directions than there are inputs


def picture(character: str, face: str) -> np.ndarray:
    """Black on white, as the recognisers take it: (1, 3, 48, 64) between −1 and 1."""
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path()) / f"fonts/ttf/DejaVu{face}.ttf"), 32)
    image = Image.new("L", (64, 48), 255)
    ImageDraw.Draw(image).text((32, 24), character, fill=0, font=font, anchor="mm")
    return np.repeat((np.asarray(image, dtype=np.float32) / 127.5 - 1)[None, None], 3, axis=1)


def recognised(package: str, file: str, pictures: list[np.ndarray]) -> tuple[np.ndarray, list[str]]:
    """Each picture's largest probability of each character, and the characters."""
    import onnxruntime

    place = Path(find_spec(package).submodule_search_locations[0]) / "models" / file
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    network = onnxruntime.InferenceSession(str(place), options, providers=["CPUExecutionProvider"])
    name = network.get_inputs()[0].name
    said = [network.run(None, {name: one})[0][0, :, 1:].max(0) for one in pictures]  # the first label is none
    return np.array(said), [*network.get_modelmeta().custom_metadata_map["character"].split("\n"), " "]


def main(most: int) -> None:
    """Compare, and say where they differ."""
    faces = [face for face in FACES if (Path(matplotlib.get_data_path()) / f"fonts/ttf/DejaVu{face}.ttf").exists()]
    drawn = [(character, face) for character in CHARACTERS for face in faces]
    pictures = [picture(*one) for one in drawn]
    found = {name: recognised(*place, pictures) for name, place in MODELS.items()}
    shared = sorted(set.intersection(*(set(names) for _, names in found.values())) - {""})
    columns = {name: [names.index(one) for one in shared] for name, (_, names) in found.items()}
    alike = {name: found[name][0][:, columns[name]] for name in found}
    likeliest = np.sort(np.argsort(-sum(one.mean(0) for one in alike.values()))[:most])
    kept = [shared[label] for label in likeliest]
    print(f"{len(drawn)} pictures; {len(shared):,} characters that both know, of which {len(kept):,} are compared")
    models = {}
    for name, probabilities in alike.items():
        right = np.mean([shared[top] == one for top, (one, _) in zip(probabilities.argmax(1), drawn, strict=True)])
        some = np.maximum(probabilities[:, likeliest].astype(np.float64), np.finfo(np.float32).tiny)
        share = some.sum() / probabilities.sum()
        print(
            f"{name}: {len(found[name][1]):,} characters, {right:.1%} right; {share:.2%} of its probability is compared"
        )
        models[name] = closedist.Representations.from_logits(
            np.log(some / some.sum(1, keepdims=True)),
            label_names=kept,
            groups=[character for character, _ in drawn],
            input_ids=[f"{character} {face}" for character, face in drawn],
        )
    p, q = models.values()
    print()
    print(closedist.compare(p, q, intervals=True, subset_size=SUBSET, num_subsets=1, pivots=[kept.index("e")]))
    print()
    print(closedist.explain(p, q, names=list(models)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
