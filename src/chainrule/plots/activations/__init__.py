"""Plots of what units do: functions, and the values that they take."""
