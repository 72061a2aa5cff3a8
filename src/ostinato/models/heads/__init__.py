"""Heads: what a forecaster says of the next numbers. Each is one file; the names are those of `--head`."""

from ostinato.models.heads.bernoulli import Bernoulli
from ostinato.models.heads.gaussian import Gaussian
from ostinato.models.heads.head import DistributionHead, Head
from ostinato.models.heads.mixture import Mixture
from ostinato.models.heads.nade import NADE
from ostinato.models.heads.negative_binomial import NegativeBinomial
from ostinato.models.heads.point import Point
from ostinato.models.heads.student_t import StudentT

HEADS: dict[str, type[Head]] = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "mixture": Mixture,
    "nade": NADE,
    "negative-binomial": NegativeBinomial,
    "point": Point,
    "student-t": StudentT,
}

__all__ = ["HEADS", "DistributionHead", "Head"]
