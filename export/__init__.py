"""Training and conversion of dfscan's models (`python -m export`); needs the extra `dfscan[export]`."""
