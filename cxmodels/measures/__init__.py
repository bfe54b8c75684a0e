"""Measures of a customer base that need no model: counted, with an interval where estimated."""
