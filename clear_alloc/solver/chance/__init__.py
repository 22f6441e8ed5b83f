"""What a sum of uncertain costs may come to, and the margin that is held back for it."""
