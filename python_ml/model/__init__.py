"""The model itself: preprocessing, fitted trees, calibration, intervals, contributions."""
