"""The pages. Each asks for its rows, its filter and its table, and lets a template show them."""
