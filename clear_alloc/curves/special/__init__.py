"""Special functions in the form that the curves need: vectorised, in logarithms, from tables."""
