"""A round's model to take away: one zip that runs anywhere onnxruntime does; and the features."""

from __future__ import annotations

import csv
import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.compose
from numpy.lib import format as npy
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from chorus.ml import learn, text
from chorus.ml.backbones import Backbone, backbone, onnx_file
from chorus.ml.card import rule_of
from chorus.ml.files import reporter
from chorus.ml.run import answers_of, load_model
from chorus.ml.sets import SURE
from chorus.ml.store import Features

CHUNK = 8192
EXAMPLE = '''\
"""python example.py picture.jpg …   (pip install onnxruntime pillow)"""
import json, sys
import numpy, onnxruntime
from PIL import Image, ImageOps
labels, inputs = json.load(open("labels.json")), json.load(open("preprocessing.json"))["inputs"]
session = onnxruntime.InferenceSession("model.onnx")
for name in sys.argv[1:]:
    image = ImageOps.exif_transpose(Image.open(name)).convert("RGB")
    sized = {i["name"]: image.resize((i["size"],) * 2, Image.Resampling.BILINEAR) for i in inputs}
    scores = session.run(["probabilities"], {k: numpy.asarray(v)[None] for k, v in sized.items()})[0][0]
    print(name, labels[scores.argmax()], round(float(scores.max()), 4), sep="\\t")
'''  # noqa: E501
SETS_EXAMPLE = '''\
"""python example.py picture.jpg …   (pip install onnxruntime pillow)"""
import json, sys
import numpy, onnxruntime
from PIL import Image, ImageOps
labels, inputs = json.load(open("labels.json")), json.load(open("preprocessing.json"))["inputs"]
session = onnxruntime.InferenceSession("model.onnx")
for name in sys.argv[1:]:
    image = ImageOps.exif_transpose(Image.open(name)).convert("RGB")
    sized = {i["name"]: image.resize((i["size"],) * 2, Image.Resampling.BILINEAR) for i in inputs}
    fed = {k: numpy.asarray(v)[None] for k, v in sized.items()}
    chances, score = session.run(["probabilities", "score"], fed)
    said = [label["name"] for label, p in zip(labels, chances[0]) if p >= label["cut"]]
    print(name, ", ".join(said) or "-", round(float(score[0]), 4), sep="\\t")
'''
README_END = """\
- `card.json`: what the round's validation found (accuracy, threshold, reliability …).
- `example.py`:

```python
{example}```

This is the head that has seen every label. The scores on the server come from heads that have not,
so that they can be compared with its validation: they differ a little, and the threshold in
`card.json` is proven for those scores, not for these.
"""
README = (
    """\
# {project}: the model of round {number}

{model} with a head trained on {count} labels.

- `model.onnx`: {inputs} uint8, RGB -> `probabilities`
  (n, {classes}), `embedding` (n, {hidden}) and `features` (n, {dim}), float32. Normalisation is
  inside.{more}
- `labels.json`: {labels}
- `preprocessing.json`: how a picture becomes an input: upright, RGB, squeezed into the square.
"""
    + README_END
)
CLASSES = "the class of each column of `probabilities`."
SETS = """for each column of `probabilities` the class, and the `cut`: the picture has the class
  from this probability on."""
SETS_OUT = " `score` (n,): how likely it is that the whole set of classes is right."


def _inputs(configs: Sequence[Backbone]) -> list[dict[str, Any]]:
    """What goes into the graph: one picture in each backbone's size."""
    return [
        {"name": "pixels" if n == 1 else f"pixels_{n}", "size": config.size}
        for n, config in enumerate(configs, 1)
    ]


def join(models: Sequence[onnx.ModelProto]) -> onnx.ModelProto:
    """Backbones side by side: `pixels`, `pixels_2` … -> `features`, theirs one after the other."""
    if len(models) == 1:
        return models[0]
    whole: onnx.ModelProto | None = None
    for n, model in enumerate(models, 1):
        part = onnx.compose.add_prefix(model, f"b{n}/")
        name = "pixels" if n == 1 else f"pixels_{n}"
        for node in part.graph.node:
            node.input[:] = [name if edge == f"b{n}/pixels" else edge for edge in node.input]
        part.graph.input[0].name = name
        if whole is None:
            whole = part
            continue
        whole.graph.node.extend(part.graph.node)
        whole.graph.initializer.extend(part.graph.initializer)
        whole.graph.input.extend(part.graph.input)
        whole.graph.output.extend(part.graph.output)
    assert whole is not None
    names = [output.name for output in whole.graph.output]
    whole.graph.node.append(helper.make_node("Concat", names, ["features"], axis=1))
    dim = sum(o.type.tensor_type.shape.dim[1].dim_value for o in whole.graph.output)
    del whole.graph.output[:]
    whole.graph.output.append(
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", dim])
    )
    return whole


def head_graph(
    backbones: Sequence[Path], model: learn.Model, card: dict[str, Any]
) -> onnx.ModelProto:
    """The graphs of the backbones with the round's last head behind them, calibrated as `card`
    says.

    In: `pixels` (n, size, size, 3) uint8, of further backbones `pixels_2` …. Out, float32:
    `probabilities` (n, c), `embedding` (n, HIDDEN), `features` (n, dim); where labels are sets of
    classes, `score` (n,) besides.
    """
    whole = join([onnx.load(str(path)) for path in backbones])
    heads, m = model.heads, model.embedder
    (features,) = (output.name for output in whole.graph.output)
    arrays: dict[str, NDArray[np.float32]] = {
        "mean": heads.mean, "basis": heads.basis, "w1": heads.w1[m], "b1": heads.b1[m, 0],
        "w2": heads.w2[m], "b2": heads.b2[m, 0],
    }  # fmt: skip
    constants, answering = _sets(card) if card.get("multilabel") else _classes(card)
    arrays |= constants
    whole.graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(a, dtype=np.float32), f"head/{name}")
        for name, a in arrays.items()
    )
    whole.graph.node.extend(
        [
            helper.make_node("Sub", [features, "head/mean"], ["head/centred"]),
            helper.make_node("MatMul", ["head/centred", "head/basis"], ["head/seen"]),
            helper.make_node("Gemm", ["head/seen", "head/w1", "head/b1"], ["head/hidden"]),
            helper.make_node("Relu", ["head/hidden"], ["embedding"]),
            helper.make_node("Gemm", ["embedding", "head/w2", "head/b2"], ["head/logits"]),
            *answering,
        ]
    )
    hidden, classes = heads.w2.shape[1:]
    kept = whole.graph.output[0]
    del whole.graph.output[:]
    whole.graph.output.extend(
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", classes]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", hidden]),
            kept,
        ]
    )
    if card.get("multilabel"):
        whole.graph.output.append(helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"]))
    onnx.checker.check_model(whole)
    return whole


Part = tuple[dict[str, NDArray[np.float32]], list[onnx.NodeProto]]
"""Constants, which the graph knows as head/…, and nodes."""


def _classes(card: dict[str, Any]) -> Part:
    """`head/logits` -> `probabilities`, one class of all."""
    node = helper.make_node
    return {"temperature": np.full(1, card["temperature"], dtype=np.float32)}, [
        node("Div", ["head/logits", "head/temperature"], ["head/calibrated"]),
        node("Softmax", ["head/calibrated"], ["probabilities"], axis=1),
    ]


def _sets(card: dict[str, Any]) -> Part:
    """`head/logits` -> `probabilities`, each class by itself, and `score` (see ml/sets)."""
    rule, all_right = rule_of(card)
    numbers: dict[str, Any] = {
        "slope": rule.slope, "shift": rule.shift, "cut": rule.cut, "one": [1.0], "low": SURE,
        "high": 1 - SURE, "sure": [-SURE], "set_slope": [all_right.slope],
        "set_shift": [all_right.shift],
    }  # fmt: skip
    steps = [
        ("Mul", "logits slope", "scaled"),
        ("Add", "scaled shift", "odds"),
        ("Sigmoid", "odds", "raw"),
        ("Clip", "raw low high", "probabilities"),
        ("GreaterOrEqual", "probabilities cut", "set"),
        ("Sub", "one probabilities", "no"),
        ("Where", "set probabilities no", "each"),
        ("Log", "each", "logs"),
        ("ReduceSum", "logs axis", "sum"),
        ("Min", "sum sure", "all"),
        ("Exp", "all", "joint"),
        ("Sub", "one joint", "rest"),
        ("Log", "rest", "log_rest"),
        ("Sub", "all log_rest", "set_odds"),
        ("Mul", "set_odds set_slope", "set_scaled"),
        ("Add", "set_scaled set_shift", "set_logit"),
        ("Sigmoid", "set_logit", "column"),
        ("Squeeze", "column axis", "score"),
    ]
    outer = {"probabilities", "score"}

    def name(edge: str) -> str:
        return edge if edge in outer else f"head/{edge}"

    nodes = [
        helper.make_node(kind, [name(edge) for edge in given.split()], [name(made)])
        for kind, given, made in steps
    ]
    axis = numpy_helper.from_array(np.array([1], dtype=np.int64))
    nodes.insert(0, helper.make_node("Constant", [], [name("axis")], value=axis))
    return {key: np.asarray(value, dtype=np.float32) for key, value in numbers.items()}, nodes


def _check(
    data: bytes, configs: Sequence[Backbone], model: learn.Model, card: dict[str, Any]
) -> None:
    """The graph must give what the round's own head gives. Raises `RuntimeError`."""
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    pixels = {
        i["name"]: rng.integers(0, 256, (2, i["size"], i["size"], 3), dtype=np.uint8)
        for i in _inputs(configs)
    }
    names = ["probabilities", "score"] if card.get("multilabel") else ["probabilities"]
    features, *found = session.run(["features", *names], pixels)
    said = answers_of(card, model.heads.logits(model.heads.project(features), model.embedder))
    if not all(
        np.allclose(mine, own, atol=1e-4)
        for mine, own in zip(found, (said.probabilities, said.scores), strict=False)
    ):
        raise RuntimeError("the exported model differs from the round's own")


def model_zip(params: dict[str, Any]) -> dict[str, Any]:
    """params: round_dir, models (folder), backbone, project, number, labels (class names),
    progress. Writes model.zip in round_dir; returns its size.

    Raises `FileNotFoundError` when the round's files are gone.
    """
    if text.is_text(params["backbone"]):
        from chorus.ml import export_text  # which builds on this module

        return export_text.model_zip(params)
    report = reporter(Path(params["progress"]))
    round_dir = Path(params["round_dir"])
    models = Path(params["models"])
    # Whatever was downloaded, or came in a file, is in `models` since the pictures went through.
    configs = [backbone(b, models, allow_download=True) for b in params["backbone"].split("+")]
    inputs = _inputs(configs)
    model = load_model(round_dir)
    card = json.loads((round_dir / "card.json").read_text("utf-8"))
    multilabel = bool(card.get("multilabel"))
    graph = head_graph([onnx_file(c, models) for c in configs], model, card)
    data = graph.SerializeToString()
    report(0.5)
    _check(data, configs, model, card)
    hidden, classes = model.heads.w2.shape[1:]
    preprocessing = {
        "inputs": inputs, "layout": "NHWC", "dtype": "uint8", "color": "RGB",
        "resize": "squeeze", "interpolation": "bilinear", "exif_transpose": True,
        "normalisation": "inside the model",
    }  # fmt: skip
    labels: list[Any] = params["labels"]
    if multilabel:
        cuts = rule_of(card)[0].cut.tolist()
        labels = [{"name": n, "cut": c} for n, c in zip(labels, cuts, strict=False)]
    example = SETS_EXAMPLE if multilabel else EXAMPLE
    readme = README.format(
        project=params["project"], number=params["number"],
        model=" and ".join(c.name for c in configs), count=card["labels"], classes=classes,
        hidden=hidden, dim=sum(c.dim for c in configs), example=example,
        labels=SETS if multilabel else CLASSES, more=SETS_OUT if multilabel else "",
        inputs=" and ".join("`{name}` (n, {size}, {size}, 3)".format(**i) for i in inputs),
    )  # fmt: skip
    target = round_dir / "model.zip"
    part = round_dir / "model.zip.tmp"
    # The weights are noise to a compressor.
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as out:
        out.writestr("model.onnx", data)
        out.writestr("labels.json", json.dumps(labels, ensure_ascii=False))
        out.writestr("preprocessing.json", json.dumps(preprocessing, indent=1))
        out.writestr("card.json", json.dumps(card))
        out.writestr("example.py", example)
        out.writestr("README.md", readme)
    os.replace(part, target)
    return {"bytes": target.stat().st_size}


def features_zip(params: dict[str, Any]) -> dict[str, Any]:
    """params: store, backbone, items (TSV: item_id, content_hash, name), target, progress.

    Writes the zip `target`: features.npy (n, dim) float16 and items.csv, row by row the same
    items; those without features are left out. Returns {items, without_features}.
    """
    report = reporter(Path(params["progress"]))
    store = Features(Path(params["store"]), params["backbone"])
    with Path(params["items"]).open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines, delimiter="\t"))
    absent = set(store.missing([row[1] for row in rows]))
    known = [row for i, row in enumerate(rows) if i not in absent]
    target = Path(params["target"])
    part = target.with_name(target.name + ".tmp")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as out:
        with out.open("features.npy", "w", force_zip64=True) as file:
            shape = (len(known), store.dim)
            header = {"descr": "<f2", "fortran_order": False, "shape": shape}
            npy.write_array_header_1_0(file, header)
            for at in range(0, len(known), CHUNK):
                features, _ = store.get([row[1] for row in known[at : at + CHUNK]])
                file.write(features.astype("<f2").tobytes())
                report(at / len(known))
        with out.open("items.csv", "w", force_zip64=True) as file:
            file.write(b"row,item_id,content_hash,name\n")
            for at, row in enumerate(known):
                quoted = '"' + row[2].replace('"', '""') + '"'
                file.write(f"{at},{row[0]},{row[1]},{quoted}\n".encode())
    os.replace(part, target)
    return {"items": len(known), "without_features": len(absent)}
