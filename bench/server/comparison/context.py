"""What every group of cells gets."""
import dataclasses
import pathlib

from .loads import Driver


@dataclasses.dataclass
class Context:
    peers: list  # classes
    rounds: int
    seconds: float  # of a load
    directory: pathlib.Path  # for requests and made-up models
    driver: Driver
