"""The records against published figures: `make validate` measures every target and writes docs/validation.md."""
