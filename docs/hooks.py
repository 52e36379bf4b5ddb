"""Adds a page for each diagnosis code and each public name, and an index of each."""

import inspect

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

import keras_trainfix
from keras_trainfix.diagnosis.registry import CHECKS, FAMILIES

INTRODUCTION = """# Codes

What a [diagnosis](../diagnosis.md) can find. An *error* keeps a model from learning, a
*warning* does or may do harm, a *note* is good to know. Codes and names never change.
`python -m keras_trainfix explain KTF501` prints the page for a code.
"""

CONFUSION = (
    "confusion_matrix",
    "load_confusion_matrix",
    "merge_state",
    "class_table",
    "plot",
)
SCORE = (*CONFUSION, "best_threshold", "images_left_out")
# What a page documents besides the public name: its methods, own or inherited, ...
METHODS = {
    "CollapseDetector": ["plot", "save"],
    "Diagnosis": [
        *("ok", "codes", "verdict", "fixed", "save"),
        *("raise_for_errors", "to_dict"),
    ],
    "Finding": ["to_dict"],
    "PredictionSnapshots": ["plot"],
    **dict.fromkeys(["ConfusionMatrix", "PixelAccuracy"], CONFUSION),
    **dict.fromkeys(["DiceScore", "MeanIoU"], SCORE),
}
# ... and related classes without a public name.
RELATED = {
    "Diagnosis": ["diagnosis.findings.DiagnosisError"],
    "batch_norm_gap": ["models.gap.BatchNormGap", "models.gap.LayerGap"],
    "surface_distances": ["metrics.surfaces.SurfaceTable"],
    "learning_rate_range_test": ["diagnosis.learning_rate_range.LearningRateRange"],
}
NAMES = {
    "Find what is wrong": [
        *("diagnose", "Diagnosis", "Finding", "learning_rate_range_test"),
        *("CollapseDetector", "PredictionSnapshots"),
    ],
    "Batch normalization": [
        *("FrozenBatchNorm", "freeze_batch_norm", "unfreeze_batch_norm"),
        *("recalibrate_batch_norm", "batch_norm_gap"),
    ],
    "Losses": [
        *("MaskedCrossentropy", "masked_crossentropy"),
        *("MaskedSoftDice", "masked_soft_dice", "MaskedTversky", "masked_tversky"),
        *("MaskedLovasz", "masked_lovasz", "MaskedClDice", "masked_cl_dice"),
        *("MaskedBoundary", "masked_boundary", "MaskedHausdorff", "masked_hausdorff"),
        "signed_distance",
        *("WeightedSum", "WeightSchedule", "class_weights_from_labels"),
    ],
    "Metrics": [
        *("MeanIoU", "DiceScore", "PixelAccuracy", "BoundaryIoU", "boundary_iou"),
        *("ConfusionMatrix", "confusion_matrix", "iou_from_confusion"),
        *("dice_from_confusion", "accuracy_from_confusion"),
        *("class_table", "confusion_table", "save_confusion_plot"),
        *("SurfaceDistances", "surface_distances"),
        *("MaskedMean", "PredictionSpread", "TargetSpread", "prediction_spread"),
    ],
}


def on_files(files, config):
    """Called by mkdocs with the files of the site."""
    _check_names()
    pages = {"codes/index": _index()}
    pages |= {f"codes/{check.code}": _page(check) for check in CHECKS.values()}
    pages["api/index"] = _api_index()
    pages |= {f"api/{name}": _api_page(name) for name in keras_trainfix.__all__}
    for name, content in pages.items():
        files.append(File.generated(config, f"{name}.md", content=content))
    return files


def _check_names():
    """Raises if a public name is missing from the documentation or has no docstring."""
    placed = sorted(name for names in NAMES.values() for name in names)
    wrong = set(placed) ^ set(keras_trainfix.__all__)
    if wrong or len(set(placed)) < len(placed):
        raise PluginError(
            f"`NAMES` in docs/hooks.py and `keras_trainfix.__all__` differ: {wrong}."
        )
    silent = [name for name in placed if not _summary(name)]
    if silent:
        raise PluginError(f"There is no docstring for {', '.join(silent)}.")


def _summary(name):
    docstring = getattr(keras_trainfix, name).__doc__ or ""
    return " ".join(inspect.cleandoc(docstring).partition("\n\n")[0].split())


def _api_page(name):
    options = "    options:\n      heading_level: 1\n"
    methods = METHODS.get(name)
    if methods:
        listed = f"[{', '.join(methods)}]"
        options += f"      members: {listed}\n      inherited_members: {listed}\n"
    others = "".join(f"\n::: keras_trainfix.{path}\n" for path in RELATED.get(name, ()))
    return (
        f"---\ntitle: {name}\n---\n\n::: keras_trainfix.{name}\n{options}{others}"
        "\n[All names](index.md)\n"
    )


def _api_index():
    lines = ["# API\n"]
    for family, names in NAMES.items():
        lines += [f"## {family}\n", "| | |", "| --- | --- |"]
        lines += [f"| [`{name}`]({name}.md) | {_summary(name)} |" for name in names]
        lines.append("")
    return "\n".join(lines)


def _page(check):
    title, _, text = check.page.partition("\n\n")
    return f"{title}\n\n*{check.severity}* · [all codes](index.md)\n\n{text}"


def _index():
    lines = [INTRODUCTION]
    for digit, family in FAMILIES.items():
        lines += [
            f"## {family.title}\n",
            "| code | name | | what is wrong |",
            "|-|-|-|-|",
        ]
        lines += [
            f"| [{code}]({code}.md) | {check.name} | {check.severity} | "
            f"{check.summary} |"
            for code, check in sorted(CHECKS.items())
            if code.startswith(f"KTF{digit}")
        ]
        lines.append("")
    return "\n".join(lines)
