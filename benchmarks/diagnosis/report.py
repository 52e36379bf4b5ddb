"""Counts and prints findings."""

import collections


def of_healthy(runs):
    """Prints the alarms in healthy trainings, and their rate per 100 snapshots.

    Args:
        runs: Iterable of `Healthy`.
    """
    looks, skipped = [], []
    for run in runs:
        looks.append(run)
        skipped += [(run, *item) for item in run.skipped.items()]
        for finding in _bad(run):
            print(f"  alarm: {run.name}, {run.stage}: {_said(finding)}", flush=True)
    unhealthy = [run for run in looks if run.is_verified is False]
    names = {run.name for run in unhealthy}
    looks = [run for run in looks if run.name not in names]
    alarms = [(run, finding) for run in looks for finding in _bad(run)]
    for run in unhealthy:
        print(f"not counted, no healthy training: {run.name}, skill {run.skill:.2f}")
    if not looks:
        return
    alarmed = {(run.name, run.stage) for run, _ in alarms}
    trainings = {run.name for run in looks}
    with_alarm = {run.name for run, _ in alarms}
    print(f"\n{len(trainings)} healthy trainings, {len(looks)} looks")
    print(f"looks with an alarm, of 100: {100 * len(alarmed) / len(looks):.1f}")
    print(f"trainings with an alarm, of 100: {_percent(with_alarm, trainings)}")
    counts = collections.Counter(finding.code for _, finding in alarms)
    print(f"alarms by code: {dict(counts.most_common())}")
    notes = collections.Counter(
        f.code for run in looks for f in run.findings if f.severity == "note"
    )
    print(f"notes by code: {dict(notes.most_common())}")
    skills = sorted(run.skill for run in looks if run.skill is not None)
    if skills:
        print(
            f"skill at the end, least and median: {skills[0]:.2f}, "
            f"{skills[len(skills) // 2]:.2f}"
        )
    _print_skipped(skipped)


def of_faults(runs):
    """Prints recall, correct first causes, the confusion table and the misses.

    Args:
        runs: Iterable of `Faulty`.
    """
    seen, harmless, skipped = [], [], []
    for run in runs:
        skipped += [(run, *item) for item in run.skipped.items()]
        (seen if run.counts else harmless).append(run)
        if run.counts and (run.missed or not run.is_first_right):
            print(f"  {_mistake(run)}", flush=True)
    if not seen:
        return
    expected = sum(len(run.fault.expected) for run in seen)
    missed = sum(len(run.missed) for run in seen)
    right = sum(run.is_first_right for run in seen)
    _print_table(seen)
    print(f"\n{len(seen)} faulty trainings, {len(harmless)} more did no harm")
    print(f"recall: {1 - missed / expected:.1%} of {expected} expected findings")
    print(f"right first cause: {right / len(seen):.1%}")
    _print_proven(seen)
    print("\nmisses:")
    for run in seen:
        if run.missed:
            print(f"  {_mistake(run)}")
    print("\nfound, with another cause first:")
    for run in seen:
        if not run.missed and not run.is_first_right:
            print(f"  {_mistake(run)}")
    print("\nno harm done: " + ", ".join(f"{r.name} ({r.skill:.2f})" for r in harmless))
    _print_skipped(skipped)


def _print_proven(runs):
    """Prints for how many of the expected causes a treatment made a difference."""
    treated = [
        (run, finding)
        for run in runs
        for finding in run.findings
        if finding.proof is not None and _is_expected(run, finding)
    ]
    if not treated:
        return
    held = [finding for _, finding in treated if finding.proof.holds]
    print(f"proven: {len(held) / len(treated):.1%} of {len(treated)} that were treated")
    open_ones = collections.Counter(
        finding.code for _, finding in treated if not finding.proof.holds
    )
    print(f"treated without a difference: {dict(open_ones.most_common())}")


def _is_expected(run, finding):
    return any(finding.code[3:] in code.split("|") for code in run.fault.expected)


def _print_table(runs):
    """Prints how often each code was found, by expected code."""
    rows = collections.defaultdict(list)
    for run in runs:
        for code in run.fault.expected:
            rows[code].append(run)
    columns = sorted({code for run in runs for code in run.codes})
    print("\nfaults by expected code (rows), and the codes found in them")
    print(f"{'':9}{'faults':>6} {'first':>5}  " + " ".join(columns))
    for code, row in sorted(rows.items()):
        counts = [sum(column in run.codes for run in row) for column in columns]
        right = sum(run.is_first_right for run in row)
        cells = " ".join(f"{count or '.':>3}" for count in counts)
        print(f"{code:9}{len(row):>6} {right:>5}  {cells}")


def _print_skipped(skipped):
    reasons = collections.Counter((code, reason) for _, code, reason in skipped)
    for (code, reason), count in reasons.most_common():
        print(f"check {code} could not run {count} times: {reason}")


def _bad(run):
    return [finding for finding in run.findings if finding.severity != "note"]


def _mistake(run):
    found = " ".join(run.codes) or "nothing"
    wanted = " ".join(run.fault.expected)
    skill = "" if run.skill is None else f", skill {run.skill:.2f}"
    first = "/".join(sorted(run.fault.first))
    return f"{run.name}{skill}: wants {wanted} (first {first}), found {found}"


def _said(finding):
    return f"{finding.code} {finding.severity}: {finding.message}"


def _percent(part, whole):
    return f"{100 * len(part) / len(whole):.1f}"
