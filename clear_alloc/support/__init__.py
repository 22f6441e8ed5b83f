"""What every room uses: array types, tolerances, late imports, optional extras, blocks over the cores."""
