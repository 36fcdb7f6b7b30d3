"""Side-by-side measurements of dfscan's speed: `python -m benchmarks` (docs/performance.md is made from them)."""
