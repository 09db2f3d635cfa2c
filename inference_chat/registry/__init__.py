"""The models that are known: their cards, versions and what can be asked of them."""
