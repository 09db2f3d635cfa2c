"""Which model for what somebody wants: the task, the limits, the measured figures."""
