"""Two generations of a published text recogniser (PP-OCRv3 and v4): what changed between them, of 6,625 characters?

Cuts both ONNX graphs before their last layer, reads the Zen of Python in three typefaces, and compares what the two say
of every position of every line. Prints what docs/examples.md shows. Takes about a minute on one core.

    pip install onnx onnxruntime
    pip download --no-deps rapidocr-onnxruntime==1.2.13 && unzip -j rapidocr_onnxruntime-1.2.13*.whl '*rec*.onnx'
    pip download --no-deps rapidocr-onnxruntime==1.4.4 && unzip -j rapidocr_onnxruntime-1.4.4*.whl '*rec*.onnx'
    python examples/text_recognisers.py ch_PP-OCRv3_rec_infer.onnx ch_PP-OCRv4_rec_infer.onnx
"""

import codecs
import contextlib
import io
import sys
from pathlib import Path

import matplotlib
import numpy as np
import onnx
import onnxruntime
from PIL import Image, ImageDraw, ImageFont

import closedist

TYPEFACES = ("DejaVuSans", "DejaVuSerif", "DejaVuSansMono")
HEIGHT = 48  # pixels, which the recognisers are made for


def lines() -> list[str]:
    """The Zen of Python, without its empty lines."""
    with contextlib.redirect_stdout(io.StringIO()):
        import this
    return [line for line in codecs.decode(this.s, "rot13").splitlines() if line]


def picture(line: str, typeface: str) -> np.ndarray:
    """(1, 3, 48, width) numbers between −1 and 1: black on white."""
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{typeface}.ttf"), 32)
    image = Image.new("L", (int(font.getlength(line)) + 16, HEIGHT), 255)
    ImageDraw.Draw(image).text((8, 4), line, font=font)
    grey = np.asarray(image, dtype=np.float32) / 127.5 - 1
    return np.broadcast_to(grey, (1, 3, *grey.shape)).copy()


def member(file: str, pictures: list[np.ndarray], groups: list[int]) -> closedist.Representations:
    """What enters the last layer at every position of every picture, and that layer."""
    network = onnx.load(file)
    constants = {node.output[0]: node.attribute[0].t for node in network.graph.node if node.op_type == "Constant"}
    constants |= {one.name: one for one in network.graph.initializer}
    product, addition, softmax = network.graph.node[-3:]
    assert (product.op_type, addition.op_type, softmax.op_type) == ("MatMul", "Add", "Softmax")
    network.graph.output.append(onnx.helper.make_empty_tensor_value_info(product.input[0]))
    session = onnxruntime.InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"])
    of_lines = [session.run([product.input[0]], {session.get_inputs()[0].name: one})[0][0] for one in pictures]
    characters = next(one.value for one in network.metadata_props if one.key == "character").splitlines()
    return closedist.Representations(
        np.concatenate(of_lines),
        onnx.numpy_helper.to_array(constants[product.input[1]]).T,
        bias=onnx.numpy_helper.to_array(constants[addition.input[1]]),
        input_ids=[(number, place) for number, line in enumerate(of_lines) for place in range(len(line))],
        label_names=["blank", *characters, "space"],
        groups=np.repeat(groups, [len(line) for line in of_lines]),
    )


def read(model: closedist.Representations) -> list[str]:
    """The text of every line: the likeliest character of each position, repeats and blanks left out."""
    logits = model.embeddings @ model.unembeddings.T + model.bias
    likeliest, line = np.asarray(model.label_names)[logits.argmax(1)], np.asarray(model.input_ids)[:, 0]
    starts = np.flatnonzero(np.append(True, (likeliest[1:] != likeliest[:-1]) | (line[1:] != line[:-1])))
    texts = [""] * (int(line.max()) + 1)
    for start in starts:
        texts[line[start]] += {"blank": "", "space": " "}.get(likeliest[start], likeliest[start])
    return [text.strip() for text in texts]


def main(first: str, second: str) -> None:
    """Read, compare, explain."""
    drawn = [(picture(line, face), number) for face in TYPEFACES for number, line in enumerate(lines())]
    pictures, groups = [one for one, _ in drawn], [number for _, number in drawn]
    p, q = member(first, pictures, groups), member(second, pictures, groups)
    print(p, q, sep="\n")
    print(f"{sum(map(str.__eq__, read(p), read(q)))} of {len(pictures)} lines are read alike")
    print(closedist.compare(p, q, intervals=True))
    print(closedist.explain(p, q, names=("v3", "v4")))


if __name__ == "__main__":
    main(*sys.argv[1:])
