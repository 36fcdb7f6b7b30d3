"""Inputs by URL: object stores and web servers, through fsspec (extra [remote]); `urls` alone is imported without it."""
