"""A round's model of texts to take away: the encoder and the head in one graph, and a script."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from chorus.ml import learn, minilm, ngrams, text
from chorus.ml.card import rule_of
from chorus.ml.export import CLASSES, README_END, SETS, SETS_OUT, head_graph
from chorus.ml.files import reporter
from chorus.ml.run import answers_of, load_model

EXAMPLE = '''\
"""python example.py text.txt …   (pip install onnxruntime{packages})"""
import json, sys
import numpy, onnxruntime
{imports}
labels, how = json.load(open("labels.json")), json.load(open("preprocessing.json"))
{prepare}session = onnxruntime.InferenceSession("model.onnx")
for name in sys.argv[1:]:
    text = " ".join(open(name, encoding="utf-8-sig").read().split()[: how["words"]])
{feed}
{answer}'''
MINILM = {
    "packages": " tokenizers",
    "imports": "from tokenizers import Tokenizer",
    "prepare": """\
tokenizer = Tokenizer.from_file("tokenizer.json")
tokenizer.no_padding()
tokenizer.enable_truncation(how["tokens"])
""",
    "feed": """\
    ids = numpy.array([tokenizer.encode(text).ids])
    fed = {"ids": ids, "mask": numpy.ones_like(ids)}""",
}
NGRAMS = {
    "packages": "",
    "imports": "import ngrams",
    "prepare": "",
    "feed": '    fed = {"ngrams": ngrams.embed([text])}',
}
ONE = """\
    scores = session.run(["probabilities"], fed)[0][0]
    print(name, labels[scores.argmax()], round(float(scores.max()), 4), sep="\\t")
"""
MANY = """\
    chances, score = session.run(["probabilities", "score"], fed)
    said = [label["name"] for label, p in zip(labels, chances[0]) if p >= label["cut"]]
    print(name, ", ".join(said) or "-", round(float(score[0]), 4), sep="\\t")
"""
README = (
    """\
# {project}: the model of round {number}

{model} with a head trained on {count} labels.

- `model.onnx`: {inputs} -> `probabilities` (n, {classes}), `embedding` (n, {hidden}) and
  `features` (n, {dim}), float32.{more}
- `labels.json`: {labels}
- `preprocessing.json`: how a text becomes an input: its fields one after the other, the first
  {words} words; {how}
"""
    + README_END
)


def model_zip(params: dict[str, Any]) -> dict[str, Any]:
    """As export.model_zip, of a round whose backbone encodes texts."""
    report = reporter(Path(params["progress"]))
    round_dir, models = Path(params["round_dir"]), Path(params["models"])
    name: str = params["backbone"]
    pretrained = name == minilm.NAME
    model = load_model(round_dir)
    card = json.loads((round_dir / "card.json").read_text("utf-8"))
    multilabel = bool(card.get("multilabel"))
    network = minilm.files(models)[0] if pretrained else _as_they_are(round_dir)
    data = head_graph([network], model, card).SerializeToString()
    report(0.5)
    _check(data, pretrained, model, card)
    labels: list[Any] = params["labels"]
    if multilabel:
        cuts = rule_of(card)[0].cut.tolist()
        labels = [{"name": n, "cut": c} for n, c in zip(labels, cuts, strict=False)]
    answer = MANY if multilabel else ONE
    # Not str.format: the parts are code, with braces of their own.
    example = EXAMPLE
    for key, part in {**(MINILM if pretrained else NGRAMS), "answer": answer}.items():
        example = example.replace("{" + key + "}", part)
    hidden, classes = model.heads.w2.shape[1:]
    readme = README.format(
        project=params["project"], number=params["number"], model=name, count=card["labels"],
        inputs="`ids` and `mask` (n, tokens) int64" if pretrained
        else f"`ngrams` (n, {ngrams.DIM}) float32",
        how=f"`tokenizer.json` cuts them into at most {minilm.MAX_TOKENS} pieces" if pretrained
        else "`ngrams.py` counts them and their parts",
        classes=classes, hidden=hidden, dim=text.DIMS[name], words=text.WORDS, example=example,
        labels=SETS.replace("picture", "text") if multilabel else CLASSES,
        more=SETS_OUT if multilabel else "",
    )  # fmt: skip
    preprocessing = {"words": text.WORDS, "fields": "joined by a line feed"}
    target, part_file = round_dir / "model.zip", round_dir / "model.zip.tmp"
    with zipfile.ZipFile(part_file, "w", zipfile.ZIP_STORED) as out:
        out.writestr("model.onnx", data)
        if pretrained:
            preprocessing["tokens"] = minilm.MAX_TOKENS
            out.write(minilm.files(models)[1], "tokenizer.json")
        else:
            out.write(Path(str(ngrams.__file__)), "ngrams.py")
        out.writestr("labels.json", json.dumps(labels, ensure_ascii=False))
        out.writestr("preprocessing.json", json.dumps(preprocessing, indent=1))
        out.writestr("card.json", json.dumps(card))
        out.writestr("example.py", example)
        out.writestr("README.md", readme)
    os.replace(part_file, target)
    return {"bytes": target.stat().st_size}


def _as_they_are(folder: Path) -> Path:
    """A graph for features that no network makes: `ngrams` (n, DIM) -> `features`, the same."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["ngrams"], ["features"])],
        "ngrams",
        [helper.make_tensor_value_info("ngrams", TensorProto.FLOAT, ["n", ngrams.DIM])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", ngrams.DIM])],
    )
    path = folder / "ngrams.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return path


def _check(data: bytes, pretrained: bool, model: learn.Model, card: dict[str, Any]) -> None:
    """The graph must give what the round's own head gives. Raises `RuntimeError`."""
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    fed: dict[str, Any] = {"ngrams": rng.normal(size=(2, ngrams.DIM)).astype(np.float32)}
    if pretrained:
        ids = rng.integers(1000, 30_000, (2, 12))
        fed = {"ids": ids, "mask": np.ones_like(ids)}
    names = ["probabilities", "score"] if card.get("multilabel") else ["probabilities"]
    features, *found = session.run(["features", *names], fed)
    said = answers_of(card, model.heads.logits(model.heads.project(features), model.embedder))
    if not all(
        np.allclose(mine, own, atol=1e-4)
        for mine, own in zip(found, (said.probabilities, said.scores), strict=False)
    ):
        raise RuntimeError("the exported model differs from the round's own")
