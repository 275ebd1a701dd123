"""The course: chapters as text (`NN-name.md` in this folder), and what turns them into notebooks.

A chapter is plain Markdown: fences marked `python` are cells that run from top to bottom in one namespace, all else is
prose. `backsight lesson --notebooks FOLDER` puts the chapters on a learner's disk.
"""

from backsight.lesson.data import VARIABLE as VARIABLE
from backsight.lesson.data import choose_data as choose_data
