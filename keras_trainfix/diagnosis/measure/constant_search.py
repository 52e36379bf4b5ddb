"""A search for the constant answer with the least loss, whatever the loss."""

import numpy as np

MOST_CALLS = 60
MOST_STEPS = 20  # along a line, which leaves 1e-4 of it
MOST_COLUMNS = 4  # that are searched one by one
TINY = 1e-7  # probability, as in Keras
GOLDEN = (np.sqrt(5) - 1) / 2


class Search:
    """The best of the constants that were tried, and a search beyond them."""

    def __init__(self, case):
        self.case, self.calls = case, 0
        self.answer, self.loss = None, np.inf
        self.tried = []

    def try_answer(self, answer):
        """The loss of a constant, Inf for none."""
        if self.calls >= MOST_CALLS:
            return np.inf
        answer = self._within_reach(np.asarray(answer, "float64"))
        if any(np.array_equal(answer, other) for other in self.tried):
            return np.inf  # which is no better
        value = self.case.value(self.case.constant(answer))
        self.calls += 1
        value = np.inf if value is None else value
        self.tried.append(answer)
        if value < self.loss:
            self.answer, self.loss = answer, value
        return value

    def improve(self):
        """Moves one column after the other, or all together where they are many."""
        if self.answer is None:
            return
        columns = len(self.answer)
        low, high = np.min(self.tried, 0), np.max(self.tried, 0)
        moves = list(np.eye(columns)) if columns <= MOST_COLUMNS else []
        moves = moves or [np.ones(columns)]
        for number, move in enumerate(moves):
            calls = (MOST_CALLS - self.calls) // (len(moves) - number)
            self._along(move, low, high, min(calls, MOST_STEPS))

    def _along(self, move, low, high, calls):
        """Golden sections along a direction, from the best answer so far."""
        start = self.answer
        a = float(np.max(np.where(move > 0, low - start, -np.inf)))
        b = float(np.min(np.where(move > 0, high - start, np.inf)))
        if not b > a:
            a, b = min(a, 0.0), max(b, 0.0)
        c, d = b - GOLDEN * (b - a), a + GOLDEN * (b - a)
        at_c, at_d = (self.try_answer(start + step * move) for step in (c, d))
        for _ in range(calls - 2):
            if at_c <= at_d:
                b, d, at_d = d, c, at_c
                c = b - GOLDEN * (b - a)
                at_c = self.try_answer(start + c * move)
            else:
                a, c, at_c = c, d, at_d
                d = a + GOLDEN * (b - a)
                at_d = self.try_answer(start + d * move)

    def _within_reach(self, answer):
        head = self.case.view.head
        answer = np.clip(answer, *head.range)
        if head.activation == "softmax" and len(answer) > 1:
            answer = np.maximum(answer, TINY)
            answer = answer / answer.sum()
        return answer
