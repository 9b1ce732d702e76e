"""How a transform along date gets into the table of cases."""

from functools import partial

import xfactor as xf
from tests import oracles
from tests.contracts import Case

ABOUT_CASE = ("exact", "dtype", "dataset", "where", "scaled", "domain", "ahead", "units", "moves")


def case(name, oracle, **options):
    """The transform `name` and its naive twin, which takes the history of one asset as a list.

    Options named in `ABOUT_CASE` describe the case; the others go to the transform and its twin.
    """
    about = {k: options.pop(k) for k in ABOUT_CASE if k in options}
    naive = partial(oracles.each, oracle, dim="date", **options)
    return Case(name, getattr(xf, name), options, naive, dim="date", **about)
