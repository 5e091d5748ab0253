"""Panels: each shows one side of the workspace. A panel never knows another panel."""
