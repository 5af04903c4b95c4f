"""The model itself: preprocessing, trees and smooth terms, calibration, contributions."""
