"""Caps at a price: water filling on the concave branches, whole tokens."""
