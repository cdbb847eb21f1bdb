"""What a retraining asks of the run of one stage, perhaps on another machine with another version of the code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, ParamSpec

from pydantic import BaseModel, ConfigDict, ValidationError

from rhapsody_lib.artifacts import ArtifactRef, Recipe, default_root
from rhapsody_lib.errors import OtherVersionError
from rhapsody_lib.operations.recipes import STAGE_VERSIONS
from rhapsody_lib.settings import Settings, explain, load_settings

P = ParamSpec("P")


def versions() -> dict[str, Any]:
    """Versions of this installation that decide what it makes."""
    return {"rhapsody": metadata.version("rhapsody"), "stages": dict(STAGE_VERSIONS)}


class StageOrder(BaseModel):
    """One stage's work: settings, inputs that are made already, and the recipe key that is expected of it.

    Settings are plain values here and unknown fields are let through, so that an order of a newer version is refused
    with both versions named, and not as a malformed one.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    settings: Mapping[str, Any]
    key: str
    versions: Mapping[str, Any]
    sources: list[str] = []
    corpus: ArtifactRef | None = None
    encoder: ArtifactRef | None = None

    def inputs(self) -> list[ArtifactRef]:
        """The artifacts that the stage reads."""
        return [ref for ref in (self.corpus, self.encoder) if ref is not None]

    def parsed_settings(self) -> Settings:
        """The settings.

        Raises:
            OtherVersionError: this installation does not know all of them.
        """
        try:
            return Settings.model_validate(self.settings)
        except ValidationError as error:
            raise self.refusal(f"does not know all settings of the run ({explain(error)})") from error

    def refusal(self, what: str) -> OtherVersionError:
        """What is raised by a worker that cannot do the work as asked for."""
        return OtherVersionError(
            f"This worker {what}. It has {_words(versions())}; the run was started by {_words(self.versions)}. "
            "Install the same version of Rhapsody on all workers and run it again."
        )


def _words(found: Mapping[str, Any]) -> str:
    return f"Rhapsody {found.get('rhapsody')} with stages {json.dumps(found.get('stages'), sort_keys=True)}"


@dataclass(frozen=True)
class Work:
    """What one run of a stage has to do, ordered by a retraining or asked for by a person."""

    store: str
    settings: Settings
    sources: tuple[str, ...]
    order: StageOrder | None = None

    @property
    def corpus(self) -> ArtifactRef | None:
        """The corpus, if it is made already."""
        return self.order.corpus if self.order else None

    @property
    def encoder(self) -> ArtifactRef | None:
        """The encoder, if it is made already."""
        return self.order.encoder if self.order else None

    def check(self, recipe_of: Callable[P, Recipe], *args: P.args, **kwargs: P.kwargs) -> None:
        """Refuse work that this installation would do in another way than was ordered.

        Raises:
            OtherVersionError: this installation has another recipe for it.
        """
        if self.order is None:
            return
        recipe = recipe_of(*args, **kwargs)
        if recipe.key != self.order.key:
            raise self.order.refusal(f"would make another '{recipe.kind}' than the run asks for")


def ordered(
    order: Mapping[str, Any] | None, store: str, profile: str, changes: Sequence[str], sources: Sequence[str] = ()
) -> Work:
    """The work of a run: what was ordered, or else what the profile, the changes and the sources say.

    Raises:
        InputError: no such profile or setting.
        OtherVersionError: the order has settings that this installation does not know.
    """
    address = store or default_root()
    if order is None:
        return Work(address, load_settings(profile, list(changes)), tuple(sources))
    parsed = StageOrder.model_validate(order)
    return Work(address, parsed.parsed_settings(), tuple(parsed.sources), parsed)
