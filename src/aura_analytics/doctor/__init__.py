"""Looking whether all is well with a service, its database and its surroundings; nothing is changed."""
