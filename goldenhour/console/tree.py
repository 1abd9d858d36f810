"""Trees that fit any width: on a narrow screen each level takes two columns instead of four."""

from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text
from rich.tree import Tree as RichTree

from goldenhour.console.layout import narrowest

_LABEL_COLUMNS = 24
"""A screen is narrow if it leaves a label fewer columns than this, or fewer than its longest word."""


class Tree(RichTree):
    """A tree of styled texts."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the tree, with short guides if it is too wide."""
        columns = options.max_width
        is_wide = all(
            columns - 4 * depth >= max(_LABEL_COLUMNS, narrowest(label)) for depth, label in _labels(self, 0)
        )
        yield from RichTree.__rich_console__(self if is_wide else _narrow(self), console, options)


class _NarrowTree(RichTree):
    ASCII_GUIDES = ("  ", "| ", "+ ", "` ")
    TREE_GUIDES = [("  ", "│ ", "├ ", "└ ")] * 3


def _labels(tree: RichTree, depth: int) -> Any:
    label = tree.label
    yield depth, label.plain if isinstance(label, Text) else str(label)
    for child in tree.children:
        yield from _labels(child, depth + 1)


def _narrow(tree: RichTree) -> RichTree:
    copy = _NarrowTree(tree.label, style=tree.style, guide_style=tree.guide_style)
    copy.children = tree.children
    return copy
