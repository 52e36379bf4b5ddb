"""What the looks at a program are worth: found, right first, proven, cured, alarms."""

STAGES = ("before", "samples", "during", "after")
VERSIONS = ("faulty", "repaired")
CURES = ("fixed", "pasted")


def above_notes(look):
    """The findings of a look that are above a note, in their order."""
    found = (look or {}).get("findings", ())
    return [finding for finding in found if finding["severity"] != "note"]


def is_right(result, stage):
    """Whether the first finding of a stage is an accepted one."""
    found = above_notes(result["faulty"].get(stage))
    return bool(found) and is_accepted(found[0], result["first"])


def is_accepted(finding, first):
    """Whether a finding has an accepted code, and the words that it must hold."""
    accepted = [entry.partition(": ") for entry in first]
    return any(
        finding["code"] == code and words in finding["message"]
        for code, _, words in accepted
    )


def is_found(result):
    """Whether an accepted finding comes anywhere, at any stage."""
    return any(True for _ in _accepted(result))


def is_proven(result):
    """Whether the proof of an accepted finding holds, at any stage."""
    return any(finding["holds"] for finding in _accepted(result))


def is_cured(result, by=CURES):
    """Whether a cure gets at least halfway from the faulty quality to the repaired.

    A faulty version that is worse than the best constant answer counts as that.
    """
    faulty, repaired = (
        result[version].get("during", {}).get("quality") for version in VERSIONS
    )
    if not isinstance(repaired, float):
        return False
    halfway = (max(faulty, 0) + repaired) / 2 if isinstance(faulty, float) else repaired
    return any(
        isinstance(quality, float) and quality >= halfway
        for name, quality in result.get("cures", {}).items()
        if name.startswith(tuple(by))
    )


def is_alarmed(result):
    """Whether the repaired version has a finding above a note, at any stage."""
    return any(above_notes(look) for look in result["repaired"].values())


def is_silent(result):
    """Whether nothing above a note is said about the faulty version, once trained."""
    look = result["faulty"].get("after")
    return look is not None and not above_notes(look)


def _accepted(result):
    for look in result["faulty"].values():
        for finding in above_notes(look):
            if is_accepted(finding, result["first"]):
                yield finding


def lines_of(result):
    """The lines that show one program."""
    if "error" in result:
        return [f"  {result['error']}"]
    lines = []
    for version in VERSIONS:
        for stage in STAGES:
            look = result[version].get(stage)
            if look is None:
                continue
            codes = " ".join(finding["code"] for finding in above_notes(look)) or "-"
            right = version == "faulty" and is_right(result, stage)
            seconds = f"{look['seconds']:.1f} s"
            quality = _number(look["quality"]) if "quality" in look else ""
            lines.append(
                f"  {version:<9}{stage:<8}{seconds:>8}{quality:>7}  {codes:<40}"
                f"{'right' if right else ''}".rstrip()
            )
            if "error" in look:
                lines.append(f"    {look['error']}")
    for cure, quality in result.get("cures", {}).items():
        lines.append(f"  {cure:<25}{_number(quality):>7}")
    return lines


def _number(quality):
    return f"{quality:.2f}" if isinstance(quality, float) else str(quality)


def print_totals(results):
    """Prints the totals of each half, and of all."""
    halves = sorted({result.get("half") for result in results} - {None})
    for half in halves:
        print(f"{half}:")
        _print_total([result for result in results if result.get("half") == half])
    print("all:")
    _print_total(results)


def _print_total(results):
    ran = [result for result in results if "error" not in result]
    unnamed = sum(not result["first"] for result in ran)
    print(f"  {len(ran)} of {len(results)} programs ran, {unnamed} without a code")
    for title, condition in (
        ("found", is_found),
        ("right first before training", lambda r: is_right(r, "before")),
        ("  from the samples alone", lambda r: is_right(r, "samples")),
        ("  during training", lambda r: is_right(r, "during")),
        ("  after training", lambda r: is_right(r, "after")),
        (
            "right first at any stage",
            lambda r: any(is_right(r, stage) for stage in STAGES),
        ),
        ("proven", is_proven),
        ("cured", is_cured),
        ("  by `Diagnosis.fixed`", lambda r: is_cured(r, ["fixed"])),
        ("  by the pasted code", lambda r: is_cured(r, ["pasted"])),
        ("silent after training", is_silent),
        ("repaired with a finding above note", is_alarmed),
    ):
        print(f"  {title}: {sum(condition(result) for result in ran)}")
