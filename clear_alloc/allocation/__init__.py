"""The result: caps, the price that explains them, reasons, certificate, audit."""
