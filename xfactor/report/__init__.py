"""A page about a panel store: what its factors earned, what moves it, what it holds and lacks."""

from xfactor.report.page import write_report

__all__ = ["write_report"]
