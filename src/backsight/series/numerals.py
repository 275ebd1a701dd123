"""How numbers are written: which sign stands before the decimals, and which, if any, between thousands."""

import re
from dataclasses import dataclass
from functools import cached_property

from backsight.errors import SettingError

#: What a cell without a value looks like, in lower case.
MISSING = ("", "nan", "na", "n/a", "null", "none")


@dataclass(frozen=True)
class Numerals:
    """How the numbers of a file are written.

    Attributes:
        decimal: the sign before the decimals, "." or ",".
        thousands: a sign that may stand between groups of three digits; None where none may.

    Raises:
        SettingError: no such sign, or one for both.

    >>> Numerals().read("1234.5") == Numerals(",", ".").read("1.234,5") == Numerals(".", ",").read("1,234.5") == 1234.5
    True
    >>> Numerals().read("1,234"), Numerals(",").read("1,234"), Numerals(".", ",").read("12,34")
    (None, 1.234, None)
    """

    decimal: str = "."
    thousands: str | None = None

    def __post_init__(self) -> None:
        if self.decimal not in (".", ","):
            raise SettingError(f"--decimal is . or ,; {self.decimal!r} was given.")
        sign = self.thousands
        if sign is not None and (len(sign) != 1 or sign.isalnum() or sign in "+-"):
            raise SettingError(f"--thousands is one sign, such as , or . or a blank; {sign!r} was given.")
        if sign == self.decimal:
            raise SettingError(
                f"--decimal and --thousands are both {sign!r}, so that nobody could tell 1{sign}234 from 1234. "
                f"Name another one of them."
            )

    @property
    def plain(self) -> bool:
        """Whether numbers are written as Python writes them."""
        return self.decimal == "." and self.thousands is None

    def read(self, cell: str) -> float | None:
        """The number in a cell (or infinity); None if it holds none that is written so."""
        text = cell.strip()
        if not self.plain and any(map(str.isdigit, text)):
            if not self._pattern.fullmatch(text):
                return None
            text = re.sub(self._between, "", text) if self.thousands else text
            text = text.replace(self.decimal, ".")
        return float(text) if is_number(text) else None

    @property
    def _between(self) -> str:
        """The pattern of what stands between thousands; any blank for a blank, for typesetters have several."""
        return r"\s" if self.thousands == " " else re.escape(self.thousands or "")

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """Groups have three digits each, but for the first: 12,34 is a slip, and 1,234,5 no number."""
        groups = rf"|\d{{1,3}}(?:{self._between}\d{{3}})+" if self.thousands else ""
        return re.compile(rf"[+-]?(?:\d*{groups})(?:{re.escape(self.decimal)}\d*)?(?:[eE][+-]?\d+)?")

    def __str__(self) -> str:
        """The options that say so.

        >>> str(Numerals(",", "."))
        "--decimal ',' --thousands '.'"
        """
        decimal = f"--decimal '{self.decimal}'" if self.decimal != "." else ""
        return " ".join(filter(None, (decimal, f"--thousands '{self.thousands}'" if self.thousands else "")))


#: Other ways of writing numbers, which a message proposes.
COMMAS = (Numerals(".", ","), Numerals(","), Numerals(",", "."))


def is_number(cell: str) -> bool:
    """Whether a cell holds a number (or infinity), written with a decimal point.

    >>> is_number("-1.5e3"), is_number("1_000"), is_number("nan")
    (True, False, False)
    """
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell and cell.strip().lower() not in MISSING


def is_missing(cell: str) -> bool:
    """Whether a cell says that it has no value."""
    return cell.strip().lower() in MISSING


def has_commas(cell: str) -> bool:
    """Whether a cell would hold a number if commas meant something in it."""
    return any(numerals.read(cell) is not None for numerals in COMMAS)


def advice(cell: str, numerals: Numerals) -> str:
    """What to do with a cell that holds no number: of ways to read it all that there are, for they may differ.

    >>> advice("1,234", Numerals())
    "With --thousands ',' it is 1234, with --decimal ',' it is 1.234: pass the one that is meant."
    >>> advice("much", Numerals())
    'Mend the cell or leave it empty.'
    """
    ways: dict[float, Numerals] = {}
    for other in COMMAS if numerals.plain else ():
        value = other.read(cell)
        if value is not None:
            ways.setdefault(value, other)
    if not ways:
        so = "" if numerals.plain else f" as {numerals} has it"
        return f"Mend the cell{so} or leave it empty."
    said = ", ".join(f"with {way} it is {value:.15g}" for value, way in ways.items())
    which = ": pass the one that is meant" if len(ways) > 1 else ""
    return f"{said[0].upper()}{said[1:]}{which}."
