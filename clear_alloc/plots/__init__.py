"""Pictures of an allocation, of a frontier and of a fit's calibration."""

from clear_alloc.plots.calibration_plot import plot_calibration
from clear_alloc.plots.curve_plot import plot_curves
from clear_alloc.plots.frontier_plot import plot_frontier
from clear_alloc.plots.traces import example_queries

__all__ = ["example_queries", "plot_calibration", "plot_curves", "plot_frontier"]
