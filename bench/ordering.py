"""`python -m bench.ordering`: how many labels a model needs, by what is labeled next by hand.

Real features of ../shared/data/{clothing,cifar10n} (made once into `--cache`, minutes), the
product's own training, choice and order of work. A quarter of the items is the test set; labels
are the gold ones on both sets, so that a curve tells of the choice alone. A round comes with every
30 % more labels. `half`: as in the product, every second item is the model's choice, the others are
drawn at random; `all`: what the choice could do alone, with nothing left to prove a promise on.
Heads are trained on one repetition of the folds, not three: a third of the time.
Writes bench/results/ordering-<set>.json and docs/images/ordering.svg; the table is kept in
docs/ordering.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from bench.curves_plot import Line, plot
from bench.heads import LITE0, LITE2, read
from chorus.ml import acquire, folds, learn
from chorus.ml.answers import one_class
from chorus.ml.basis import SAMPLE
from chorus.server.domain.ordering import interleave

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
PICTURE = ROOT / "docs" / "images" / "ordering.svg"
GROWTH = 0.3
STEP_MIN = 10
FIRST = 40
"""Labels at random before the first choice: about where the product's first round is."""
LAST = 750
TEST = 0.25
WAYS = {
    "random": ("random", False),
    "uncertain, half": ("uncertain", False),
    "auto, half": ("auto", False),
    "auto, all": ("auto", True),
}
"""name -> (ordering, nothing but chosen items)."""
GOALS = {"clothing": (0.75, 0.80, 0.83), "cifar10n": (0.65, 0.70, 0.74)}
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def steps() -> list[int]:
    """Numbers of labels at which there is a round."""
    out = [FIRST]
    while out[-1] < LAST:
        out.append(min(LAST, out[-1] + max(STEP_MIN, int(out[-1] * GROWTH))))
    return out


def curve(features: Floats, gold: Ints, ordering: str, pure: bool, seed: int) -> list[float]:
    """Accuracy on the test set at each of `steps()`. features (n, d); gold (n,)."""
    classes = int(gold.max()) + 1
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(gold))
    test, pool = order[: int(TEST * len(gold))], order[int(TEST * len(gold)) :]
    sample = features[np.sort(rng.permutation(len(gold))[:SAMPLE])]
    labeled = pool[:FIRST].tolist()
    out = []
    for count in [*steps()[1:], 0]:
        rows, labels = features[labeled], gold[labeled]
        targets = np.eye(classes, dtype=np.float32)[labels]
        model = learn.train(rows, targets, labels, sample, seed=seed, threads=1)
        said = learn.open_logits(model, features[test], seed).argmax(axis=1)
        out.append(float((said == gold[test]).mean()))
        if not count:
            break
        known = set(labeled)
        rest = np.array([i for i in pool.tolist() if i not in known])
        chosen: list[int] = []
        if ordering != "random":
            temperature = learn.calibrate(learn.out_of_fold_logits(model, rows), labels)
            seen = model.heads.project(features[rest])
            sure = learn.softmax(learn.open_logits(model, features[rest], seed), temperature)
            batch = acquire.choose(
                ordering, 1 - one_class(sure).margins, seen.__getitem__,
                acquire.batch_size(len(labeled)), seed,
            )  # fmt: skip
            chosen = rest[batch].tolist()
        front = chosen if pure else [i for i, _ in interleave(rest.tolist(), chosen)]
        queue = front + [i for i in rest.tolist() if i not in set(front)]
        labeled += queue[: count - len(labeled)]
    return out


def labels_needed(accuracy: list[float], goal: float) -> float | None:
    """Where the curve first reaches `goal`, between two rounds by a straight line; None: never."""
    at = steps()
    for k, a in enumerate(accuracy):
        if a >= goal:
            if k == 0:
                return float(at[0])
            share = (goal - accuracy[k - 1]) / (a - accuracy[k - 1])
            return at[k - 1] + share * (at[k] - at[k - 1])
    return None


def table(found: dict[str, dict[str, list[list[float]]]]) -> str:
    """Markdown. found: data set -> way -> curve of each seed."""
    goals = [(name, goal) for name in found for goal in GOALS[name]]
    out = ["| | " + " | ".join(f"{name} {goal:.0%}" for name, goal in goals) + " | mean |"]
    out.append("|---" * (len(goals) + 2) + "|")
    ways = [w for w in WAYS if all(curves[w] for curves in found.values())]
    for way in ways:
        cells, gains = [], []
        for name, goal in goals:
            need, base = (
                labels_needed(np.mean(found[name][w], axis=0).tolist(), goal)
                for w in (way, "random")
            )
            if need is None:
                cells.append(f"over {LAST}")
                continue
            ratio = None if base is None else need / base
            cells.append(f"{need:.0f}" + ("" if ratio is None else f" ({ratio:.2f})"))
            gains += [] if ratio is None else [ratio]
        out.append(f"| {way} | " + " | ".join(cells) + f" | {np.mean(gains):.2f} |")
    for way in ways[1:]:
        for name, curves in found.items():
            known = len(curves[way])
            gain = np.mean(np.array(curves[way]) - np.array(curves["random"][:known]), axis=1)
            error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else float("nan")
            out.append(f"{way}, {name}: {gain.mean():+.4f} accuracy over the whole curve, "
                       f"± {error:.4f} (standard error over {len(gain)} seeds)")  # fmt: skip
    return "\n".join(out)


def draw(found: dict[str, dict[str, list[list[float]]]]) -> None:
    """docs/images/ordering.svg: one panel for each data set."""
    panels = {
        name: [
            Line(way, steps(), np.mean(curves[way], axis=0).tolist(), dashed=pure)
            for way, (_, pure) in WAYS.items()
            if curves[way]
        ]
        for name, curves in found.items()
    }
    PICTURE.write_text(plot(panels, "labels", "accuracy"), "utf-8")


def main(
    cache: Annotated[Path, typer.Option(help="Folder for features.")] = Path("/tmp/chorus-heads"),
    seeds: Annotated[int, typer.Option(help="Draws of test set and first labels.")] = 5,
    only: Annotated[str, typer.Option(help="One data set; else both.")] = "",
    measure: Annotated[bool, typer.Option(help="Else only table and picture.")] = True,
) -> None:
    """Curves, the table of labels needed, and the picture."""
    torch.set_num_threads(1)
    for module in (folds, learn):
        module.REPEATS = 1  # type: ignore[attr-defined]
    RESULTS.mkdir(exist_ok=True)
    for name in [n for n in GOALS if measure and only in ("", n)]:
        data = read(name, cache)
        features = np.concatenate([data.features[b] for b in (LITE0, LITE2)], axis=1)
        features = features.astype(np.float32)
        curves: dict[str, list[list[float]]] = {way: [] for way in WAYS}
        # The product's own ways first: if this is cut off, the table can be made of them.
        for way, (ordering, pure) in WAYS.items():
            for seed in range(seeds):
                curves[way].append(curve(features, data.gold, ordering, pure, seed))
                print(name, way, seed, [round(a, 3) for a in curves[way][-1]], flush=True)
                (RESULTS / f"ordering-{name}.json").write_text(
                    json.dumps({"labels": steps(), "accuracy": curves}) + "\n"
                )
    found = {}
    for name in GOALS:
        path = RESULTS / f"ordering-{name}.json"
        if path.exists():
            found[name] = json.loads(path.read_text())["accuracy"]
    print(table(found))
    draw(found)


if __name__ == "__main__":
    typer.run(main)
