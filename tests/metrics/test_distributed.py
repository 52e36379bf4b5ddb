"""Counts on several devices and processes are the same as on one."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.metrics.distributed import HALVES, LABELS, LOGITS
from tests.metrics.reference import confusion, scores

ROOT = Path(__file__).parent.parent.parent
PROCESSES = 2 if keras.backend.backend() == "torch" else 1

on_devices = pytest.mark.backend_only(
    "tensorflow", "jax", reason="on torch there are processes"
)
on_tensorflow = pytest.mark.backend_only("tensorflow", reason="tf.distribute")
on_jax = pytest.mark.backend_only("jax", reason="keras.distribution")
on_torch = pytest.mark.backend_only("torch", reason="torch.distributed")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """The output of each process of `tests/metrics/distributed.py`."""
    command = [sys.executable, "-m", "tests.metrics.distributed"]
    file = tmp_path_factory.mktemp("distributed") / "store"
    ranks = [[str(rank), str(file)] for rank in range(2)] if PROCESSES == 2 else [[]]
    processes = [
        subprocess.Popen(
            [*command, *rank],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ranks
    ]
    results = []
    try:
        for process in processes:
            output, errors = process.communicate(timeout=600)
            assert process.returncode == 0, errors[-2000:]
            results.append(json.loads(output.splitlines()[-1]))
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return results


def check(values, samples, times=1):
    """`values` are the same as for some samples on one device."""
    matrix = confusion(LABELS[samples], LOGITS[samples].argmax(-1), 3) * times
    expected = {"confusion_matrix": matrix.astype("int64"), **scores(matrix)}
    expected["dice_of_images"] = dice_of_images(samples)
    assert {"mean_iou", "confusion_matrix"} <= values.keys()
    for name, value in values.items():
        if name == "counts":
            for counts in value:
                np.testing.assert_array_equal(counts, matrix)
        elif name != "loss":
            np.testing.assert_allclose(value, expected[name], rtol=1e-6)


def dice_of_images(samples):
    """The mean over images of the mean over the classes that are labeled in each."""
    means = []
    for labels, logits in zip(LABELS[samples], LOGITS[samples], strict=True):
        matrix = confusion(labels, logits.argmax(-1), 3)
        dice = np.array(scores(matrix)["dice"])
        means.append(dice[matrix.sum(axis=1) > 0].mean())
    return np.mean(means)


@on_devices
def test_fit_and_evaluate_count_the_batches_of_two_devices(outputs):
    # Keras on JAX refuses a batch that two devices cannot share.
    samples = slice(11 if keras.backend.backend() == "tensorflow" else 10)
    (results,) = outputs
    fit, evaluated, counts = results["trained"].values()
    check({k: v for k, v in fit.items() if not k.startswith("val_")}, samples)
    check({k[4:]: v for k, v in fit.items() if k.startswith("val_")}, samples)
    check({**evaluated, "counts": counts}, samples)


@on_tensorflow
@pytest.mark.parametrize("size", [11, 9])
def test_a_loop_with_a_last_batch_of_unequal_parts(outputs, size):
    check(outputs[0][f"loop_of_{size}"], slice(size))  # 2 and 1, 1 and 0 samples


@on_tensorflow
@pytest.mark.parametrize("replicas", ["two", "three"])
def test_counts_are_loaded_once_and_not_per_replica(outputs, replicas):
    check(outputs[0][f"loaded_on_{replicas}"], slice(11), times=2)


@on_jax
def test_a_loop_without_state_over_arrays_on_two_devices(outputs):
    check(outputs[0]["loop_of_10"], slice(10))


@on_torch
def test_both_processes_get_the_whole(outputs):
    for results in outputs:
        check(results["loop"], slice(11))


@on_torch
def test_each_process_keeps_its_own_counts(outputs):
    for results, half in zip(outputs, HALVES, strict=True):
        check(results["loop_again"], slice(11))  # adding up adds nothing to the state
        assert np.sum(results["state"]) == (LABELS[half] != 255).sum()


@on_torch
def test_a_process_may_have_nothing_to_count(outputs):
    for results in outputs:
        check(results["second_half"], HALVES[1])


@on_torch
def test_nan_in_one_process_is_nan_and_a_warning_in_both(outputs):
    for results in outputs:
        scores = [
            np.array(results["nan"][name])
            for name in results["loop"]
            if name != "counts"
        ]
        assert len(scores) == 3
        assert all(np.isnan(score).all() for score in scores)
        number = (LABELS[HALVES[1]] != 255).sum()
        assert len(results["warnings"]) == 3
        for message in results["warnings"]:
            assert f"because it received {number} invalid predictions (NaN" in message


@on_torch
def test_evaluate_with_as_many_batches_in_each_process(outputs):
    for results in outputs:
        check(results["evaluate"], slice(11))
