"""Commands of the players room."""
