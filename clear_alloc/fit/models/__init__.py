"""The models behind a fit: lengths, chances, arrival shapes."""
