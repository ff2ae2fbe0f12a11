"""The mixer page: served by a process of its own, which sees the engine through its shared memory and its control socket."""
