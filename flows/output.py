"""Standard output of the `rhapsody` command."""

from __future__ import annotations

from rich.console import Console, ConsoleDimensions

#: Characters a line where nobody's window is that wide: rich takes 80 for a pipe or a file, and cuts tables there.
_UNBOUNDED = 10_000


class Output(Console):
    """Standard output: as wide as the terminal, and as wide as what is written where it is none."""

    def __init__(self) -> None:
        super().__init__(highlight=False, soft_wrap=True)

    @property
    def size(self) -> ConsoleDimensions:
        """Columns and lines."""
        size = super().size
        return size if self.is_terminal else ConsoleDimensions(_UNBOUNDED, size.height)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size


#: What every command prints its results to.
stdout = Output()
