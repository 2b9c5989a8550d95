"""What a simulation is run with."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct, field

PAGE_SIZES = (1, 4, 6, 9)
ORDERINGS = ("random", "uncertain", "auto")
TASKS = ("multiclass", "multilabel")
SET_RULES = ("class", "exact")
OF_BOXES = (
    "jitter", "miss", "false_boxes", "confuse", "keep_iou", "iou", "shape_agreement", "detector",
)  # fmt: skip
"""Options that count where boxes are drawn."""


class BadOptions(ValueError):
    """The options or the files they name make no sense; the message says which and why."""


class Options(Struct):
    images: Path | None = None
    texts: Path | None = None
    gold: Path | None = None
    votes: Path | None = None
    labelers: int = 8
    accuracy: list[float] = field(default_factory=lambda: [0.95])
    follow: float = 0.0
    votes_min: int = 1
    votes_max: int = 1
    consensus: str | None = None
    task: str = "multiclass"
    set_rule: str = "class"
    target: float | None = None
    """None: 0.95, of boxes 0.6."""
    jitter: float = 0.05
    miss: float = 0.05
    false_boxes: float = 0.02
    confuse: float = 0.02
    keep_iou: float = 0.7
    iou: float = 0.5
    shape_agreement: float = 0.8
    page_size: int = 9
    cluster: bool = True
    prelabel: bool = True
    ordering: str | None = None
    second_look: bool = True
    fine_tune: bool = False
    detector: str | None = None
    detector_weights: Path | None = None
    free_running: bool = False
    think_ms: int = 0
    max_labels: int | None = None
    seed: int = 0
    url: str | None = None
    token: str | None = None
    data_dir: Path | None = None

    def check(self) -> None:
        """Raises `BadOptions`. Makes the paths absolute, as the server needs them."""
        if (self.images is None) == (self.texts is None):
            raise BadOptions("give either --images or --texts")
        if self.images is not None:
            self.images = self.images.absolute()
            if not self.images.is_dir():
                raise BadOptions(f"--images: no folder {self.images}")
        if self.texts is not None:
            self.texts = self.texts.absolute()
            if not self.texts.is_file():
                raise BadOptions(f"--texts: no file {self.texts}")
        elif self.gold is None and self.votes is None:
            raise BadOptions("give --gold or --votes: people must know what to answer")
        if self.labelers < 1:
            raise BadOptions("--labelers must be at least 1")
        if len(self.accuracy) not in (1, self.labelers):
            raise BadOptions("--accuracy: give one number, or one for each labeler")
        if not all(0 <= a <= 1 for a in [*self.accuracy, self.follow]):
            raise BadOptions("--accuracy and --follow are between 0 and 1")
        shares = [self.miss, self.false_boxes, self.confuse, self.keep_iou]
        if not all(0 <= share <= 1 for share in shares) or self.jitter < 0:
            raise BadOptions("--miss, --false-boxes, --confuse and --keep-iou are between 0 and 1")
        if self.boxes and (self.texts is not None or self.votes is not None or self.multilabel):
            raise BadOptions("a COCO file as --gold goes with --images alone")
        if self.page_size not in PAGE_SIZES:
            raise BadOptions("--page-size is 1, 4, 6 or 9")
        if self.task not in TASKS:
            raise BadOptions(f"--task is {' or '.join(TASKS)}")
        if self.set_rule not in SET_RULES:
            raise BadOptions(f"--set-rule is {' or '.join(SET_RULES)}")
        if self.ordering not in (None, *ORDERINGS):
            raise BadOptions(f"--ordering is one of {', '.join(ORDERINGS)}")
        if not 1 <= self.votes_min <= self.votes_max:
            raise BadOptions("1 ≤ --votes-min ≤ --votes-max")
        if self.max_labels is not None and self.max_labels < 0:
            raise BadOptions("--max-labels must be at least 0")
        if self.think_ms < 0:
            raise BadOptions("--think-ms must be at least 0")
        if self.labelers < self.votes_min:
            raise BadOptions(
                f"{self.labelers} --labelers cannot give an item {self.votes_min} answers"
                " (--votes-min): nothing would be decided"
            )
        if (self.url is None) != (self.token is None):
            raise BadOptions("--url and --token go together")
        if self.url is not None and (self.detector or self.detector_weights):
            raise BadOptions("the server at --url has its own --detector")

    @property
    def server_env(self) -> dict[str, str]:
        """Settings of a server of our own."""
        env = {}
        if self.detector is not None:
            env["CHORUS_DETECTOR"] = self.detector
        if self.detector_weights is not None:
            env["CHORUS_DETECTOR_WEIGHTS"] = str(self.detector_weights.absolute())
        return env

    @property
    def multilabel(self) -> bool:
        """A label is a set of classes."""
        return self.task.endswith("multilabel")

    @property
    def boxes(self) -> bool:
        """Boxes are drawn: the gold file is a COCO file."""
        return self.gold is not None and self.gold.suffix.lower() == ".json"

    @property
    def wanted_target(self) -> float:
        if self.target is not None:
            return self.target
        return 0.6 if self.boxes else 0.95

    @property
    def task_type(self) -> str:
        """As projects have it."""
        if self.boxes:
            return "boxes"
        return self.task if self.texts is None else f"text-{self.task}"

    def settings(self) -> dict[str, object]:
        """For the report: every option but secrets; paths by their last two parts."""
        return {
            "images": _short(self.images),
            "texts": _short(self.texts),
            "gold": _short(self.gold),
            "votes": _short(self.votes),
            "labelers": self.labelers,
            "accuracy": None if self.votes is not None or self.boxes else self.accuracy,
            "follow": self.follow,
            "votes_min": self.votes_min,
            "votes_max": self.votes_max,
            "consensus": self.consensus,
            "task": "boxes" if self.boxes else self.task,
            "set_rule": self.set_rule if self.multilabel else None,
            "target": self.wanted_target,
            "page_size": 1 if self.boxes else self.page_size,
            "cluster": self.cluster and not self.boxes,
            "prelabel": self.prelabel,
            "ordering": self.ordering,
            "second_look": self.second_look and not self.boxes,
            "fine_tune": self.fine_tune,
            "free_running": self.free_running,
            "think_ms": self.think_ms,
            "max_labels": self.max_labels,
            "seed": self.seed,
            "url": self.url,
            **{name: getattr(self, name) if self.boxes else None for name in OF_BOXES},
        }


def _short(path: Path | None) -> str | None:
    return None if path is None else "/".join(path.parts[-2:])
