"""cxmodels."""
