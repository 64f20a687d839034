"""Launcher: the code lies beside it, in the package this folder is loaded as."""

from everest.runtime import launch

launch(__file__)
