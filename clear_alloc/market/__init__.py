"""The problem in the solver's form: curves with the caps that are feasible and what they are charged."""
