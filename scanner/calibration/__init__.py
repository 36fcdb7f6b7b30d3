"""Thresholds measured on the user's own pictures: `dfscan calibrate` writes them, `--calibration FILE` uses them."""
