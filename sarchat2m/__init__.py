"""SARChat-2M: two million dialogues over SAR images, built from SARDet-100K."""

__version__ = "0.1.0"
