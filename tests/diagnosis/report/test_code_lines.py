"""Code that fits a terminal, and still runs."""

import ast

import pytest

from keras_trainfix.diagnosis.report.code_lines import folded


@pytest.mark.parametrize(
    "code",
    [
        "model.compile(keras.optimizers.Adam(0.001), loss=kt.WeightedSum([kt.Dice(), "
        "kt.Crossentropy()]), metrics=['accuracy, of all'])  # was 0.01, or so",
        "first, second = function(one, two, three), other(four, five, six), [seven]",
        "if x:\n    y = some.function(of_one, and_of_another, and_of_a_third_thing)",
        "x = f(\n    one_argument, another_argument, a_third_argument, a_fourth,\n)",
        "x = '''a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w'''",
    ],
)
@pytest.mark.parametrize("width", [20, 40, 70])
def test_folded_code_means_the_same(code, width):
    lines = folded(code, width)
    assert ast.dump(ast.parse("\n".join(lines))) == ast.dump(ast.parse(code))


def test_short_code_stays():
    code = "x = f(1, 2)  # as it is\n\nmodel.fit(x, y)"
    assert "\n".join(folded(code, 80)) == code


def test_comments_are_broken_between_words():
    lines = folded("    # first one thing and then another\nf(x)  # a rest", 20)
    assert lines == [
        "    # first one",
        "    # thing and then",
        "    # another",
        "f(x)  # a rest",
    ]
    assert folded("f(abcdefghi)  # a rest", 20) == ["# a rest", "f(abcdefghi)"]


def test_what_cannot_be_broken_stays():
    assert folded(f"{'x' * 90} = 1", 80) == [f"{'x' * 90} = 1"]
    assert folded("", 80) == []
