"""Inputs by URL: object stores and web servers, through fsspec (extra [remote]); `urls` alone does without it."""
