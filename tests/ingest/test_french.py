import gzip

import numpy as np
import pandas as pd
import pytest

import xfactor as xf
from xfactor.ingest import french_sections, read_french

FACTORS = (
    "This file was created by HAND using no database.\r\n"
    "The Tbill return is the simple daily rate that, over the days\r\n"
    "in the month, compounds to 1-month TBill rate.\r\n"
    "\r\n"
    ",Mkt-RF,SMB,HML,RF\r\n"
    "20130102,    2.62,    0.13,    0.35,   0.000\r\n"
    "20130103,   -0.14,  -99.99,    0.04,   0.001\r\n"
    "20130104,    0.55,    0.12, -999   ,   0.000\r\n"
    "\r\n"
    "Copyright 2013 Nobody\r\n"
)


def write(tmp_path, text):
    path = tmp_path / "factors.CSV"
    path.write_bytes(text.encode("latin-1"))
    return path


def test_read_french__gives_decimal_returns_by_date(tmp_path):
    factors = read_french(write(tmp_path, FACTORS))
    assert list(factors.data_vars) == ["Mkt-RF", "SMB", "HML", "RF"]
    assert factors.indexes["date"].equals(pd.date_range("2013-01-02", periods=3, name="date"))
    assert factors.date.dtype == "datetime64[ns]"
    np.testing.assert_allclose(factors["Mkt-RF"], [0.0262, -0.0014, 0.0055])
    np.testing.assert_allclose(factors["RF"], [0.0, 0.00001, 0.0])
    assert factors["SMB"].attrs["units"] == "decimal per session"


def test_read_french__codes_for_missing_become_missing(tmp_path):
    factors = read_french(write(tmp_path, FACTORS))
    np.testing.assert_array_equal(factors["SMB"].isnull(), [False, True, False])
    np.testing.assert_array_equal(factors["HML"].isnull(), [False, False, True])


def test_read_french__strips_the_blanks_of_names(tmp_path):
    text = "Some, text 20130101, 5.\n\n,Mom   \n20130102,   0.50\n"
    assert list(read_french(write(tmp_path, text)).data_vars) == ["Mom"]


def test_read_french__reads_gzip(tmp_path):
    path = write(tmp_path, FACTORS)
    zipped = tmp_path / "factors.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    assert read_french(zipped).identical(read_french(path))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "has no section"),
        ("no data\n", "has no section"),
        ("20130102, 1.0\n", "below a header"),
        (FACTORS + "\n,Mkt-RF\n2013, 1.0\n", "has 2 sections.*section=.*annual"),
        (",A\n2013, 1.0\n201301, 1.0\n", "'201301' is not annual"),
        (",A\n20130199, 1.0\n", "daily dates %Y%m%d"),
        (",A\n20130102, x\n", "cannot be read"),
        (",A\n20130102, 1.0, 2.0\n", "needed 2 named columns"),
        ("no header\n20130102, 1.0\n", "needed 1 named columns"),
        (",A,A\n20130102, 1.0, 2.0\n", "needed 3 named columns"),
        (",A\n20130103, 1.0\n20130102, 1.0\n", "not sorted"),
        (",A\n20130102, 1.0\n20130102, 1.0\n", "more than once"),
    ],
)
def test_read_french__refuses_in_one_line(tmp_path, text, match):
    with pytest.raises(xf.PanelError, match=match) as caught:
        read_french(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_read_french__refuses_a_missing_file(tmp_path):
    with pytest.raises(xf.PanelError, match="no file is at"):
        read_french(tmp_path / "none.CSV")


def test_read_french__refuses_a_truncated_gzip(tmp_path):
    path = tmp_path / "factors.gz"
    path.write_bytes(gzip.compress(FACTORS.encode())[:-20])
    with pytest.raises(xf.PanelError, match="cannot be read"):
        read_french(path)


PORTFOLIOS = (
    "This file was created by HAND.\n"
    "It contains value- and equal-weighted returns.\n"
    "\n"
    "Missing data are indicated by -99.99 or -999.\n"
    "\n\n"
    "  Average Value Weighted Returns -- Monthly\n"
    ",SMALL LoBM,Hlth \n"
    "201301,   1.50, -99.99\n"
    "201302,  -2.00,   3.00\n"
    "\n\n"
    "  Average Value Weighted Returns -- Annual\n"
    ",SMALL LoBM,Hlth \n"
    "  2013,  10.00, -999\n"
    "\n\n"
    "  Average Market Cap\n"
    ",SMALL LoBM,Hlth \n"
    "201301,  12.34,  56.78\n"
    "\n\n"
    "  For portfolios formed in June of year t\n"
    "  Value Weight Average of BE/ME Calculated as:\n"
    ",SMALL LoBM,Hlth \n"
    "201301,   0.50,  -999\n"
    "\n"
    "Copyright 2013 Nobody\n"
)


def test_french_sections__lists_titles(tmp_path):
    assert french_sections(write(tmp_path, PORTFOLIOS)) == [
        "Average Value Weighted Returns -- Monthly (monthly)",
        "Average Value Weighted Returns -- Annual (annual)",
        "Average Market Cap (monthly)",
        "For portfolios formed in June of year t Value Weight Average of BE/ME Calculated as: "
        "(monthly)",
    ]


def test_read_french__picks_a_section_by_its_words_its_number_or_its_frequency(tmp_path):
    path = write(tmp_path, PORTFOLIOS)
    monthly = read_french(path, "value weighted  RETURNS", frequency="monthly")
    np.testing.assert_allclose(monthly["SMALL LoBM"], [0.015, -0.02])
    np.testing.assert_array_equal(monthly["Hlth"].isnull(), [True, False])
    assert monthly.indexes["date"].equals(
        pd.DatetimeIndex(["2013-01-31", "2013-02-28"], name="date")
    )
    assert monthly["Hlth"].attrs["units"] == "decimal per month"
    annual = read_french(path, frequency="annual")
    assert annual.identical(read_french(path, 1))
    assert annual["SMALL LoBM"].item() == pytest.approx(0.10)
    assert annual.date.values[0] == np.datetime64("2013-12-31")


def test_read_french__leaves_what_is_no_return_as_it_stands(tmp_path):
    path = write(tmp_path, PORTFOLIOS)
    cap = read_french(path, "market cap")
    np.testing.assert_array_equal([cap["SMALL LoBM"].item(), cap["Hlth"].item()], [12.34, 56.78])
    assert cap["Hlth"].attrs["units"] == "million USD"
    ratio = read_french(path, "be/me")
    assert ratio["SMALL LoBM"].item() == 0.5
    assert ratio["Hlth"].isnull().all()
    assert ratio["Hlth"].attrs["units"] == "1"


@pytest.mark.parametrize(
    ("section", "frequency", "match"),
    [
        (None, None, "has 4 sections of data"),
        ("returns", None, "has 2 sections of data like 'returns'"),
        ("turnover", None, "has 0 sections of data like 'turnover'"),
        (9, None, "has 0 sections of data like 9"),
        (None, "weekly", "'weekly' is unknown"),
        (None, "daily", "has 0 sections"),
    ],
)
def test_read_french__refuses_a_section_that_is_not_one(tmp_path, section, frequency, match):
    with pytest.raises(xf.PanelError, match=match) as caught:
        read_french(write(tmp_path, PORTFOLIOS), section, frequency=frequency)
    assert "\n" not in str(caught.value)
