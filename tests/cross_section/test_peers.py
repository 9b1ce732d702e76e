"""What peers get wrong, as facts to hold against: each row is one of their known bugs."""

import numpy as np
import pytest
import xarray as xr

import xfactor as xf

NAN = np.nan


def row(*values):
    return xr.DataArray([list(values)], dims=("date", "asset"))


def test_rank__of_a_group_with_a_missing_member_ranks_the_others():
    """A pipeline engine turns the whole group missing."""
    by = xr.DataArray([0, 0, 1, 1, 0], dims="asset")
    got = xf.rank(row(1.0, NAN, 3.0, 2.0, 0.5), by=by, method="average")
    np.testing.assert_array_equal(got.values, [[2, NAN, 2, 1, 1]])


@pytest.mark.parametrize("method", ["average", "min", "max", "dense", "ordinal"])
def test_rank__of_a_row_with_a_missing_cell_ranks_the_others(method):
    """The same engine turns the whole row missing for all methods but the ordinal one."""
    got = xf.rank(row(3.0, NAN, 1.0), method=method)
    np.testing.assert_array_equal(got.values, [[2, NAN, 1]])


def test_qcut__of_ties_and_of_nothing_does_not_raise():
    """Edges that are not unique raise in pandas; a row with nothing raises in the engine."""
    got = xf.qcut(row(0.0, 0.0, 0.0, 0.0, 1.0, 2.0), 3)
    np.testing.assert_array_equal(got.values, [[0, 0, 0, 0, 2, 2]])
    np.testing.assert_array_equal(xf.qcut(row(NAN, NAN), 3).values, [[-1, -1]])


def test_winsorize__of_an_empty_row_does_not_raise():
    np.testing.assert_array_equal(xf.winsorize(row(NAN, NAN), 0.1).values, [[NAN, NAN]])


def test_drawdown__is_measured_from_the_peak():
    """From 2 back to 1 half is lost; divided by the trough it would be all."""
    got = xf.drawdown(xr.DataArray([1.0, -0.5, 1.0], dims="date"))
    np.testing.assert_allclose(got.values, [0.0, -0.5, 0.0])


def test_decay_linear__leaves_missing_values_out_of_its_weights():
    """Counted as zeros they would pull the mean to 0."""
    got = xf.decay_linear(xr.DataArray([5.0, NAN, 5.0], dims="date"), window=3, min_obs=1)
    np.testing.assert_allclose(got.values, [5.0, 5.0, 5.0], rtol=1e-15)


def test_growth__of_a_loss_that_shrinks_is_positive():
    got = xf.growth(xr.DataArray([-4.0, -2.0, 0.0, 1.0], dims="date"))
    np.testing.assert_allclose(got.values, [NAN, 0.5, 1.0, NAN])


# The worked example with which the pipeline engine defines mask= and groupby=.
FACTOR = [[1.0, 2.0, 3.0, 4.0], [1.5, 2.5, 3.5, 1.0], [2.0, 3.0, 4.0, 1.5], [2.5, 3.5, 1.0, 2.0]]
DEMEANED = {
    "plain": [
        [-1.5, -0.5, 0.5, 1.5],
        [-0.625, 0.375, 1.375, -1.125],
        [-0.625, 0.375, 1.375, -1.125],
        [0.25, 1.25, -1.25, -0.25],
    ],
    "masked": [
        [NAN, -1.0, 0.0, 1.0],
        [-0.5, NAN, 1.5, -1.0],
        [-1 / 6, 5 / 6, NAN, -2 / 3],
        [1 / 6, 7 / 6, -4 / 3, NAN],
    ],
    "grouped": [
        [-0.5, 0.5, -0.5, 0.5],
        [-0.5, 0.5, 1.25, -1.25],
        [-0.5, 0.5, 1.25, -1.25],
        [-0.5, 0.5, -0.5, 0.5],
    ],
    "masked, grouped": [
        [NAN, 0.0, -0.5, 0.5],
        [0.0, NAN, 1.25, -1.25],
        [-0.5, 0.5, NAN, 0.0],
        [-0.5, 0.5, 0.0, NAN],
    ],
}


@pytest.mark.parametrize("how", DEMEANED)
def test_demean__with_mask_and_groups_gives_the_engines_own_table(how):
    x = xr.DataArray(FACTOR, dims=("date", "asset"))
    mask = xr.DataArray(~np.eye(4, dtype=bool), dims=("date", "asset"))
    by = xr.DataArray([1, 1, 2, 2], dims="asset")
    options = {"where": mask} if "masked" in how else {}
    options |= {"by": by} if "grouped" in how else {}
    np.testing.assert_allclose(xf.demean(x, **options).values, DEMEANED[how], rtol=0, atol=1e-15)


def test_rank_and_top__of_negative_integers_are_those_of_the_numbers():
    """Compared by their bits as unsigned numbers, negative ones would come last."""
    x = xr.DataArray([[-5, 3, -1]], dims=("date", "asset"))
    np.testing.assert_array_equal(xf.rank(x).values, [[1, 3, 2]])
    np.testing.assert_array_equal(xf.top(x.where(x < 0), 1).values, [[False, False, True]])
