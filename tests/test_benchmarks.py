import functools
import importlib.util

import keras
import pytest

from benchmarks import batch_norm, losses, measure


def test_every_contestant_gets_the_same_number_of_turns():
    calls = []
    contestants = {name: functools.partial(calls.append, name) for name in "ab"}
    seconds = measure.in_turns(contestants, rounds=3, repeats=2)
    assert list(seconds) == ["a", "b"]
    assert calls.count("a") == calls.count("b") == 2 + 3 * 2
    assert calls[4:] == list("bbaa" + "aabb" + "bbaa")


def test_the_table_shows_ratios_to_the_reference(capsys):
    measure.print_table("step", {"ours": 0.001, "theirs": 0.002}, "theirs")
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["ours", "1.00", "0.50"]
    assert lines[3].split() == ["theirs", "2.00", "1.00"]


def test_peak_memory_is_that_of_the_statement():
    little = measure.peak_memory("pass")
    much = measure.peak_memory("kept = b'x' * 2**28")
    assert 0.9 * 2**28 < much - little < 1.2 * 2**28


def test_batch_norm_runs(monkeypatch, capsys):
    monkeypatch.setattr(batch_norm, "SHAPE", (16, 16, 3))
    monkeypatch.setattr(batch_norm, "BATCH", 2)
    once = functools.partial(measure.in_turns, rounds=1, repeats=1)
    monkeypatch.setattr(batch_norm, "in_turns", once)
    monkeypatch.setattr(batch_norm, "peak_memory", lambda _: 2**30)
    batch_norm.main()
    out = capsys.readouterr().out
    for name in batch_norm.CONTESTANTS:
        assert name in out


def test_losses_run(monkeypatch, capsys):
    monkeypatch.setattr(losses, "SHAPES", [(2, 4, 4, 3)])
    once = functools.partial(measure.in_turns, rounds=1, repeats=1)
    monkeypatch.setattr(losses, "in_turns", once)
    monkeypatch.setattr(losses, "peak_memory", lambda _: 2**30)
    if keras.backend.backend() == "torch" and not importlib.util.find_spec("monai"):
        pytest.skip("its peers on torch are not installed")
    losses.main()
    out = capsys.readouterr().out
    for name in losses.OURS:
        assert name in out
        losses.steps_of(name, (1, 4, 4, 3), number=1)
