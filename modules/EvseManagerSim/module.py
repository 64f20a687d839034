"""Launcher of EvseManagerSim as a process."""

from everest.runtime import launch

if __name__ == "__main__":
    launch(__file__)
