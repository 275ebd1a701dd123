"""What was found, in the sentences that the command line prints: for notebooks, and for whoever works in Python."""

from functools import singledispatch

from backsight.report.lookback import lookback_sentences
from backsight.report.memory_text import memory_sentences, memory_test_sentences
from backsight.report.sentences import exam_sentences, lesson_sentences
from backsight.report.tuning import tuning_sentences
from backsight.runs.comparison import Comparison
from backsight.runs.lesson import Lesson
from backsight.runs.lookback import Lookbacks
from backsight.runs.memory import MemoryProfile
from backsight.runs.memory_test import MemoryTest
from backsight.runs.record import exam_record, lesson_record, lookback_record
from backsight.runs.tune import Tuning
from backsight.runs.tuning_record import tuning_record


@singledispatch
def explain(found: Comparison | Lookbacks | MemoryProfile | MemoryTest | Tuning | Lesson) -> list[str]:
    """What a comparison, a lookback curve, a memory profile or test, a tuning or the lesson says, in plain sentences.

    They are those of the command of the same name, in the same order. Errors are in the target's unit.

    Raises:
        TypeError: it is none of these.

    >>> import backsight
    >>> series = backsight.load("seattle")
    >>> found = backsight.compare(series, "temp_max", models="ridge", lookback=[3], seeds=1)
    >>> print(explain(found)[0][:58])
    All 5 entries were examined on the same 147 target rows, 2
    """
    raise TypeError(f"There is nothing to say of a {type(found).__name__}.")


@explain.register
def _(found: Comparison) -> list[str]:
    return exam_sentences(exam_record(found))


@explain.register
def _(found: Lookbacks) -> list[str]:
    return lookback_sentences(lookback_record(found))


@explain.register
def _(found: MemoryProfile) -> list[str]:
    return memory_sentences(found.record)


@explain.register
def _(found: MemoryTest) -> list[str]:
    return memory_test_sentences(found.record)


@explain.register
def _(found: Tuning) -> list[str]:
    said = tuning_sentences(tuning_record(found))
    return said if found.comparison is None else [*said, *explain(found.comparison)]


@explain.register
def _(found: Lesson) -> list[str]:
    return lesson_sentences(lesson_record(found))
