"""Pictures in, pictures out: pure functions on arrays. Only `compose` makes the frames that an output may show."""
