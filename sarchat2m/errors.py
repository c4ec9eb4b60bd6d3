"""What the library raises when it is given something it cannot work with."""

__all__ = ["SARChatError"]


class SARChatError(Exception):
    """One sentence for a person: what is wrong, where, and how to mend it. The command line prints it as it is."""
