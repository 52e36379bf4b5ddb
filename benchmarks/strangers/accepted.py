"""The codes that may come first for each program, by the number of its file."""

FIRST: dict[str, tuple[str, ...]] = {
    "01": ("KTF133",),
    "02": ("KTF415",),
    "03": ("KTF412",),
    "04": ("KTF149", "KTF509"),
    "06": ("KTF422",),
    "08": ("KTF305",),
    "10": ("KTF416",),
    "11": ("KTF427",),
    "13": ("KTF148",),
    "15": ("KTF135",),
    "17": ("KTF138",),
    "19": ("KTF145",),
    "21": ("KTF423",),
    "23": ("KTF134",),
    "25": ("KTF212",),
    "28": ("KTF413", "KTF103"),
    "31": ("KTF306",),
    "34": ("KTF430",),
    "36": ("KTF421",),
}
