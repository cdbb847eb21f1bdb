"""The fields of the run forms: choices and limits. The form takes its help from the `Args` of a flow's docstring.

Choices and limits stand in the schema, which the form shows and the server checks; the flows themselves take more, so
that a run in this process may name the path of a profile. Limits of what may be empty stand beside the choice and not
within it, else the server's refusal does not name them.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from rhapsody_lib.music.chords import Key
from rhapsody_lib.settings import profile_names

AS_PRIMER = "as the matched song"
KEYS = [AS_PRIMER, *(Key(tonic, mode).name for mode in ("major", "minor") for tonic in range(12))]

#: Defaults of lists, which the form shows as rows.
SONGBOOK: list[str] = ["songbook"]
NO_CHANGES: list[str] = []

Profile = Annotated[str, Field(json_schema_extra={"enum": profile_names()})]
Order = Annotated[dict[str, Any] | None, Field()]
Reason = Annotated[str, Field(max_length=200)]

Prompt = Annotated[str, Field(min_length=1, max_length=200_000)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Title = Annotated[str, Field(max_length=200)]
KeyName = Annotated[str, Field(json_schema_extra={"enum": [*KEYS]})]
TempoBpm = Annotated[float | None, Field(json_schema_extra={"minimum": 40, "maximum": 240})]
MaxLines = Annotated[int, Field(ge=4, le=120)]
SongForm = Annotated[str, Field(max_length=400)]
LinesPerSection = Annotated[int, Field(ge=2, le=8)]
SyllablesPerLine = Annotated[int | None, Field(json_schema_extra={"minimum": 4, "maximum": 16})]
WordsPerLine = Annotated[int | None, Field(json_schema_extra={"minimum": 3, "maximum": 12})]
Candidates = Annotated[int, Field(ge=1, le=256)]
Temperature = Annotated[float, Field(ge=0.1, le=2.0)]
Filter = Annotated[str, Field(max_length=80)]
ReleaseNumber = Annotated[int | None, Field(json_schema_extra={"minimum": 1})]
