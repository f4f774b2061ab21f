"""The mathematics: representations in, numbers out."""
